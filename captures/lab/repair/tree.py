"""Configurations as trees: what the formats of nginx, Caddy and Apache have in common."""

import dataclasses


@dataclasses.dataclass
class Node:
    """A directive: its words, and the directives in its block if it has one."""

    words: list
    block: list | None = None


def walk(nodes):
    """Every node with the list that it stands in, outer ones first."""
    for node in list(nodes):
        yield node, nodes
        if node.block is not None:
            yield from walk(node.block)


def put(nodes, new, key):
    """Puts a directive where others with the same key stand already, or at the end."""
    same = [at for at, node in enumerate(nodes) if key(node) == key(new)]
    for at in reversed(same[1:]):
        del nodes[at]
    if same:
        nodes[same[0]] = new
    else:
        nodes.append(new)


def only(found, what):
    """The one thing that a place means."""
    found = list(found)
    if len(found) != 1:
        raise LookupError(f"there are {len(found)} of {what}")
    return found[0]
