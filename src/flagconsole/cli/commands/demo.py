"""``demo``."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from flagconsole.cli.output import print_json, say
from flagconsole.domain.text import safe_text


@click.command("demo")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed simulates the same fleet.")
@click.option("--headless", is_flag=True, help="No console: run, kill one flag halfway, report.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="How long, headless.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--mouse", is_flag=True, help="Use the mouse in the console.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--theme", metavar="NAME", help="The console's theme.")
def demo(
    seed: int, headless: bool, seconds: float, as_json: bool, mouse: bool, ascii_only: bool, theme: str | None
) -> None:
    """Start a store, a server, 12 instances of 4 services and the console, all temporary.

    Without a terminal it runs headless for 10 seconds, kills one flag halfway and reports what came of it. Exits with 8
    when not every instance confirmed that kill. While it runs, every other command reaches its store from another
    terminal with --store demo: flagconsole history --store demo
    """
    from flagconsole.demo import run

    if headless or not _has_terminal():
        summary = run.headless(seconds, seed)
        print_json(summary) if as_json else _print(summary)
        click.get_current_context().exit(run.exit_code_of(summary))
    click.get_current_context().exit(run.in_terminal(seed, mouse=mouse, ascii_only=ascii_only, theme=theme))


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _print(summary: dict[str, Any]) -> None:
    receipts: dict[str, float] = summary["receipts_ms"]
    slowest = max(receipts.values(), default=0.0)
    say(f"{summary['flags']} flags, {summary['tenants']} tenants, {summary['instances']} instances")
    say(f"{summary['operations']} operations; {summary['killed_flag']} killed at revision {summary['kill_revision']}")
    say(f"confirmed by {len(receipts)} of {summary['instances']} instances, the slowest after {slowest:.0f} ms")
    for name, milliseconds in sorted(receipts.items(), key=lambda item: item[1]):
        say(f"  {safe_text(name, 80)}  {milliseconds:.1f} ms")
    say(f"{summary['operations_after_last_receipt']} operations of it after the last confirmation")
    say("the log's hash chain holds" if summary["audit_verified"] else "the log's hash chain is BROKEN")
