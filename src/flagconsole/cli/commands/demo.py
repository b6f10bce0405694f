"""``demo``."""

from __future__ import annotations

import sys

import click


@click.command("demo")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed simulates the same fleet.")
@click.option("--headless", is_flag=True, help="No console: run, kill one flag halfway, report.")
@click.option("--seconds", type=click.FloatRange(2, 3600), default=10.0, show_default=True, help="How long, headless.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def demo(seed: int, headless: bool, seconds: float, as_json: bool) -> None:
    """Start a store, a server, 12 instances of 4 services and the console, all temporary.

    Without a terminal it runs headless for 10 seconds.
    """
    from flagconsole.demo.run import run_demo

    headless = headless or not (sys.stdin.isatty() and sys.stdout.isatty())
    code = run_demo(seed=seed, headless=headless, seconds=seconds, as_json=as_json)
    click.get_current_context().exit(code)
