"""Applies printed fixes to a proxy's configuration, as a person does who pastes each at the place that it names.

Nothing is known here but the printed texts: a place that no applier understands, or that the configuration does not
have, is a Problem. What a person has to fill in himself, because no capture shows it, comes as `answers`.
"""

import re

from problem import Problem
from proxies import SOFTWARE
from repair import apache, caddy, haproxy, nginx

APPLIERS = {"nginx": nginx.apply, "haproxy": haproxy.apply, "apache": apache.apply, "caddy": caddy.apply}
SINCE = re.compile(r" \((\d+(?:\.\d+)*) and later\)$")


class NotForThisVersion(Problem):
    """The fix says itself that it is for later versions."""


def apply(fixes, proxy, lab, version, answers):
    """Changes the files of one proxy below `lab`: its own configuration, or the frame around it."""
    files = {"site": proxy.path(lab), "frame": lab / proxy.software / SOFTWARE[proxy.software].frame}
    for fix in fixes:
        place = _place(fix["place"], version)
        text = fix["text"]
        for name, value in answers.items():
            text = re.sub(rf"\b{name}\b", value, text)
        try:
            APPLIERS[proxy.software](place, text, files)
        except LookupError as error:
            raise Problem(f"cannot apply `{fix['text']}` at `{fix['place']}`: {error.args[0]}") from None


def _place(place, version):
    """The place without the words about versions."""
    since = SINCE.search(place)
    if since is not None and _numbers(version) < _numbers(since[1]):
        raise NotForThisVersion(f"the fix is for {since[1]} and later, and this is {version}")
    return SINCE.sub("", place)


def _numbers(version):
    return [int(number) for number in version.split(".")]
