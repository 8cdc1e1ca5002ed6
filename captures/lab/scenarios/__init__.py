"""All scenarios by name, in the order in which a reader meets them."""

from scenarios import configuration, established, founding, upstream, viewpoints

SCENARIOS = {
    scenario.name: scenario
    for module in (founding, configuration, upstream, established, viewpoints)
    for scenario in module.SCENARIOS
}
