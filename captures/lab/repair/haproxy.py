"""Applies fixes to HAProxy's configuration, section by section."""

import re

from repair.tree import only

SECTIONS = ("global", "defaults", "frontend", "backend", "listen")
# Each place with its section, and before which lines of it.
PLACES = {
    "the frontend, before all other http-request lines": ("frontend", None),
    "the backend, after all other http-request lines": ("backend", ("server",)),
    "the frontend, before broader use_backend lines": ("frontend", ("use_backend", "default_backend")),
}
WITHOUT = re.compile(r"# without (.+)$")


def apply(place, text, files):
    section = place.partition(" (")[0]
    if place in PLACES:
        _line(text.splitlines(), files["site"], *PLACES[place])
    elif section == "the backend":
        _server(text, files["site"])
    elif section in ("global", "defaults"):
        has_it = [file for file in files.values() if section in file.read_text(encoding="utf-8").split()]
        if not has_it:
            raise LookupError(f"there is no section {section}")
        _put(has_it[0], section, text.splitlines())
    else:
        raise LookupError("no such place in HAProxy")


def _line(new, file, section, before):
    """Adds lines to a section, before the first one of some kinds; of several sections the one with http-request lines."""
    lines = file.read_text(encoding="utf-8").splitlines()
    starts = [at for at, line in enumerate(lines) if line.split()[:1] == [section]]
    ranges = [(start, next((at for at in range(start + 1, len(lines)) if lines[at].split()[:1] and
                            lines[at].split()[0] in SECTIONS), len(lines))) for start in starts]
    changing = [(start, end) for start, end in ranges if any("http-request" in line for line in lines[start:end])]
    start, end = only(changing if len(ranges) > 1 else ranges, f"sections {section}")
    at = next((at for at in range(start + 1, end) if before is None or lines[at].split()[:1] and
               lines[at].split()[0] in before), end)
    lines[at:at] = [f"    {line}" for line in new]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _put(file, section, new):
    """Adds lines to the one section, or replaces those that set the same."""
    lines = file.read_text(encoding="utf-8").splitlines()
    start = only((at for at, line in enumerate(lines) if line.split()[:1] == [section]), f"sections {section}")
    for line in new:
        ends = (at for at, old in enumerate(lines) if at > start and old.split()[:1] and old.split()[0] in SECTIONS)
        end = next(ends, len(lines))
        same = [at for at in range(start + 1, end) if _key(lines[at]) == _key(line)]
        for at in same:
            lines[at] = f"    {line}"
        if not same:
            lines.insert(start + 1, f"    {line}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _key(line):
    """Timeouts are told apart by their second word."""
    words = line.split()
    return words[:2] if words[:1] == ["timeout"] else words[:1]


def _server(text, file):
    """A server line as it should be: its name stays, what it shall be `without` goes."""
    new = text.split("#")[0].split()
    without = WITHOUT.search(text)
    unwanted = re.split(r", | and ", without[1]) if without else []
    lines = file.read_text(encoding="utf-8").splitlines()
    at = only((at for at, line in enumerate(lines) if line.split()[:1] == ["server"] and new[2] in line.split()),
              f"server lines with {new[2]}")
    words = [word for word in lines[at].split() if word not in unwanted]
    words += [word for word in new[3:] if word not in words]
    lines[at] = "    " + " ".join(words)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
