"""Applies fixes to Caddy's configuration."""

import re

from repair.tree import Node, only, put, walk

SERVES = re.compile(r"the reverse_proxy block that serves (\S+?)(?:, instead of other header_up lines for these fields)?$")
INSTEAD = re.compile(r"instead of the reverse_proxy line that serves (\S+)$")


def apply(place, text, files):
    file = files["site"]
    nodes = parse(file.read_text(encoding="utf-8"))
    if place in ("the site block, outside of what serves files", "the site block, outside of handle_path"):
        only(nodes, "sites").block.extend(parse(text))
    elif serves := SERVES.match(place):
        node = _serving(nodes, serves[1])
        node.block = node.block or []
        for new in parse(text):
            put(node.block, new, _key)
    elif instead := INSTEAD.match(place):
        old = _serving(nodes, instead[1])
        matcher = [word for word in old.words[1:] if word.startswith("/")]
        new = only(parse(text), "lines")
        old.words, old.block = [new.words[0], *matcher, *new.words[1:]], new.block or old.block
    else:
        raise LookupError("no such place in Caddy")
    file.write_text(render(nodes), encoding="utf-8")


def _key(node):
    """What a directive replaces: the same one; of fields the same name, whatever is done to it."""
    name, *words = node.words
    return (name, words[0].lstrip("+-").lower()) if name == "header_up" else name


def _serving(nodes, path):
    """The reverse_proxy with the longest matcher for a path."""
    found = []
    for node, _ in walk(nodes):
        if node.words[0] == "reverse_proxy":
            matcher = next((word for word in node.words[1:] if word.startswith("/")), "*")
            if path == matcher or matcher.endswith("*") and path.startswith(matcher[:-1]):
                found.append((len(matcher), node))
    if not found:
        raise LookupError("no reverse_proxy serves that path")
    return max(found, key=lambda match: match[0])[1]


def parse(text):
    """The tree of a Caddyfile: a directive a line."""
    stack = [[]]
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith("#"):
            continue
        if words == ["}"]:
            stack.pop()
        elif words[-1] == "{":
            node = Node(words[:-1], [])
            stack[-1].append(node)
            stack.append(node.block)
        else:
            stack[-1].append(Node(words))
    return only(stack, "levels: the braces do not fit")


def render(nodes, depth=0):
    """The text of a tree."""
    lines = []
    for node in nodes:
        start = "\t" * depth + " ".join(node.words)
        if not node.block:
            lines.append(f"{start}\n")
        else:
            lines.append(f"{start} {{\n{render(node.block, depth + 1)}{chr(9) * depth}}}\n")
    return "".join(lines)
