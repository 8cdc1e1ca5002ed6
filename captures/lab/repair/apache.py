"""Applies fixes to Apache's configuration, line by line."""

from repair.tree import only

HOST = "<VirtualHost"


def apply(place, text, files):
    file = files["site"]
    lines = file.read_text(encoding="utf-8").splitlines()
    start = only((at for at, line in enumerate(lines) if line.startswith(HOST)), "virtual hosts")
    new = text.splitlines()
    if place == "the virtual host, before broader ProxyPass lines":
        passes = [at for at, line in enumerate(lines) if line.split()[:1] == ["ProxyPass"]]
        at = min(passes, default=start + 1)
        lines[at:at] = _indented(new)
    elif place == "the virtual host" and new[0].startswith("<"):
        # What comes later counts.
        end = only((at for at, line in enumerate(lines) if line.startswith("</VirtualHost>")), "ends of it")
        lines[end:end] = _indented(new)
    elif place in ("the virtual host", "the server or the virtual host"):
        for line in new:
            _put(lines, start, line, place != "the virtual host")
    else:
        raise LookupError("no such place in Apache")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _put(lines, start, new, outside_too):
    """Replaces the same directive, or adds it to the virtual host."""
    name = new.split()[0]
    scope = range(0 if outside_too else start, len(lines))
    same = [at for at in scope if lines[at].split()[:1] == [name]]
    for at in same:
        lines[at] = new
    if not same:
        lines[start + 1:start + 1] = _indented([new])


def _indented(lines):
    return [f"    {line}" for line in lines]
