"""All scenarios by name, in the order in which a reader meets them."""

import importlib

MODULES = ("founding", "configuration", "upstream", "established", "viewpoints", "proxies", "answers",
           "proxied_faults", "requests", "encryption", "endings",
           "chains", "clients")
SCENARIOS = {
    scenario.name: scenario
    for module in MODULES
    for scenario in importlib.import_module(f"scenarios.{module}").SCENARIOS
}
