"""The benchmarks that make a table, in the order in which they are run and shown.

Each is a module of ``bench`` by its name with ``table(*, quick: bool) -> Table``; ``bench.record`` gives it its command line.
"""

from __future__ import annotations

#: One line each, with the most minutes that a whole run may take; after that it is ended and recorded as failed.
BENCHMARKS: dict[str, int] = {
    "evaluate": 15,
    "load": 15,
    "propagation": 25,
    "write": 15,
    "streams": 15,
    "server": 20,
    "judge": 20,
    "console": 15,
    "growth": 30,
    "cli": 10,
}
#: What is run by hand only: ``main(arguments)`` of the module of that name.
BY_HAND = ("abuse", "all", "judge_experiment", "operation")
