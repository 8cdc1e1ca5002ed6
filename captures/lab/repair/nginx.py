"""Applies fixes to nginx's configuration."""

import re

from repair.tree import Node, only, put, walk

TOKEN = re.compile(r"""\s+|\#[^\n]*|([{};])|("[^"]*"|'[^']*'|[^\s{};]+)""")
SERVES = re.compile(r"the location that serves (\S+?)(, as its first line)?$")
NAMED = re.compile(r"the location (\S+?), as its first line$")


def apply(place, text, files):
    file = files["frame"] if place == "the main block, outside of http" else files["site"]
    nodes = parse(file.read_text(encoding="utf-8"))
    if place in ("http block", "the main block, outside of http"):
        # The site is all that is in the http block.
        _paste(nodes, text)
    elif place == "the server block":
        _paste(only((node for node in nodes if node.words == ["server"]), "server blocks").block, text)
    elif place == "wherever Upgrade and Connection are set":
        blocks = [within for node, within in walk(nodes) if _key(node) in (FIELD + ("upgrade",), FIELD + ("connection",))]
        for block in blocks or only((), "such lines"):
            _paste(block, text)
    elif serves := SERVES.match(place):
        _at_location(_serving(nodes, serves[1]), text, serves[2])
    elif named := NAMED.match(place):
        locations = (node for node, _ in walk(nodes) if node.words == ["location", named[1]])
        _at_location(only(locations, "such locations"), text, True)
    else:
        raise LookupError("no such place in nginx")
    file.write_text(render(nodes), encoding="utf-8")


FIELD = ("proxy_set_header",)


def _at_location(location, text, is_first_line):
    if is_first_line:
        location.words = parse(f"{text}}}")[0].words
    else:
        _paste(location.block, text)


def _paste(nodes, text):
    for new in parse(text):
        put(nodes, new, _key)


def _key(node):
    """What a directive replaces: the same one; of fields and maps the same name."""
    name, *words = node.words
    if name == "proxy_set_header":
        return FIELD + (words[0].lower(),)
    return (name, *words) if node.block is not None else (name,)


def _serving(nodes, path):
    """The location that nginx chooses for a path, among exact ones and prefixes."""
    exact, prefixes = None, []
    for node, _ in walk(nodes):
        if node.words[0] == "location":
            modifier, match = node.words[1:] if len(node.words) == 3 else ("", node.words[1])
            if modifier.startswith("~"):
                raise LookupError("regular expressions are not understood here")
            if modifier == "=" and match == path:
                exact = node
            elif modifier in ("", "^~") and path.startswith(match) and not match.startswith("@"):
                prefixes.append((len(match), node))
    if exact is not None:
        return exact
    if not prefixes:
        raise LookupError("no location serves that path")
    return max(prefixes, key=lambda prefix: prefix[0])[1]


def parse(text):
    """The tree of a configuration; comments are left out."""
    stack, words = [[]], []
    for token in TOKEN.finditer(text):
        mark, word = token.groups()
        if word:
            words.append(word)
        elif mark == ";":
            stack[-1].append(Node(words))
            words = []
        elif mark == "{":
            node = Node(words, [])
            stack[-1].append(node)
            stack.append(node.block)
            words = []
        elif mark == "}":
            stack.pop()
    if words or len(stack) != 1:
        raise LookupError("that is not nginx's syntax")
    return stack[0]


def render(nodes, depth=0):
    """The text of a tree."""
    lines = []
    for node in nodes:
        start = "    " * depth + " ".join(node.words)
        if node.block is None:
            lines.append(f"{start};\n")
        else:
            lines.append(f"{start} {{\n{render(node.block, depth + 1)}{'    ' * depth}}}\n")
    return "".join(lines)
