"""All scenarios by name, in the order in which a reader meets them."""

import importlib

MODULES = ("founding", "configuration", "upstream", "established", "viewpoints", "proxies", "answers",
           "proxied_faults", "requests", "encryption", "endings", "broken", "applications",
           "protocols", "chains", "clients", "transport", "points")


def _of(*modules):
    """The scenarios of some modules, by name."""
    return {scenario.name: scenario
            for module in modules for scenario in importlib.import_module(f"scenarios.{module}").SCENARIOS}


SCENARIOS = _of(*MODULES)
# Those that only lab/mend plays.
MENDING = _of("mending")
