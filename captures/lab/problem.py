"""The one exception of the lab: its text is a complete line for the person who ran it."""


class Problem(Exception):
    """Something the lab cannot work around."""
