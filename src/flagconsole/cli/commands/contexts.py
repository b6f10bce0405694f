"""``contexts``: servers by name, and which of them counts."""

from __future__ import annotations

import sys
from typing import Any

import click

from flagconsole.cli import configuration
from flagconsole.cli.configuration import configuration_path, load, server_url
from flagconsole.cli.contexts import COLOURS, Context, checked_name, context_named, context_of, contexts_of
from flagconsole.cli.invocation import Invocation, prints, writes
from flagconsole.cli.key_source import written
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import print_json, say, talk
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text


@click.group("contexts", cls=SuggestingGroup)
def contexts() -> None:
    """Give servers names, with the environment they are and where their key is.

    A context counts for one command with --context NAME, for a shell with FLAGCONSOLE_CONTEXT, and for good with
    contexts use NAME. In the console, :env NAME switches.
    """


@contexts.command("list")
@prints
def list_contexts(invocation: Invocation) -> None:
    """List the contexts. Never shows a key."""
    known = load(configuration_path())
    found = list(contexts_of(known).values())
    if invocation.as_json:
        print_json({"path": str(configuration_path()), "context": known.context, "contexts": [_data(c) for c in found]})
        return
    if not found:
        say("there are none; add one: flagconsole contexts add NAME --url URL --key keyring")
    for item in found:
        marks = [
            item.environment,
            item.colour,
            "read-only" if item.readonly else "",
            f"tenant {item.tenant}" if item.tenant else "",
        ]
        key = f"key from {item.key.in_words()}" if item.key is not None else ""
        words = "  ".join(safe_text(word, 200) for word in (item.url or item.store, *marks, key) if word)
        say(f"{'*' if item.name == known.context else ' '} {item.name:<16} {words}")


@contexts.command("add")
@click.argument("name", metavar="NAME")
@click.option("--colour", type=click.Choice(COLOURS), help="The console's bar; it can only be made more serious.")
@click.option("--readonly", is_flag=True, help="The console only looks.")
@click.option(
    "--key", "source", metavar="SOURCE", help="Where the key is: keyring, variable:NAME, file:PATH or command:WORDS."
)
@writes
def add(
    invocation: Invocation,
    name: str,
    colour: str | None,
    readonly: bool,
    source: str | None,
) -> None:
    """Add the context NAME for --url or --store, or replace it.

    With --key keyring the key is read from standard input and put into the keyring. Otherwise it stays where it is: the
    configuration only says where.
    """
    if invocation.api_key is not None:
        raise InvalidInput(field="--api-key", problem="isn't written down here; use --key", value="…")
    table: dict[str, Any] = {
        "url": None if invocation.url is None else server_url(invocation.url, "--url"),
        "store": invocation.store,
        "environment": invocation.environment,
        "colour": colour,
        "readonly": readonly or None,
        "tenant": invocation.tenant,
        "key": None if source is None else written(source).in_file(),
    }
    table = {key: value for key, value in table.items() if value is not None}
    context = context_of(checked_name(name), table)
    if context.url is not None and configuration.is_in_clear(context.url):
        talk("note: over http a key can be read on its way; use https")
    if context.key is not None and context.key.kind == "keyring" and not invocation.dry_run:
        _into_keyring(str(context.url))
    _change(invocation, lambda document: document.setdefault("contexts", {}).__setitem__(name, table), context, "added")


@contexts.command("use")
@click.argument("name", metavar="NAME")
@writes
def use(invocation: Invocation, name: str) -> None:
    """Work in the context NAME from now on; - works in none."""
    if name == "-":
        _change(invocation, lambda document: document.pop("context", None), None, "no context is chosen")
        return
    context = context_named(load(configuration_path()), name, "NAME")
    _change(invocation, lambda document: document.__setitem__("context", name), context, "chosen")


@contexts.command("remove")
@click.argument("name", metavar="NAME")
@writes
def remove(invocation: Invocation, name: str) -> None:
    """Remove the context NAME. A key in the keyring stays there."""
    context = context_named(load(configuration_path()), name, "NAME")

    def edit(document: Any) -> None:
        del document["contexts"][name]
        if document.get("context") == name:
            del document["context"]

    _change(invocation, edit, context, "removed")


def _into_keyring(url: str) -> None:
    from flagconsole.cli.commands.config import secret_of
    from flagconsole.cli.credentials import keep_in_keyring

    if sys.stdin.isatty():
        talk(f"the key for {safe_text(url, 200)}, then Enter:")
    if keep_in_keyring(url, secret_of("-")) is None:
        problem = "there is no keyring here that keeps anything; use variable:, file: or command:"
        raise InvalidInput(field="--key", problem=problem, value="keyring")


def _change(invocation: Invocation, edit: Any, context: Context | None, done: str) -> None:
    if not invocation.dry_run:
        configuration.change(configuration_path(), edit)
    if invocation.as_json:
        shown = None if context is None else _data(context)
        print_json({"dry_run": invocation.dry_run, "path": str(configuration_path()), "context": shown})
        return
    where = "" if context is None else f"{context.name} ({safe_text(context.url or context.store, 200)}) "
    say(f"{where}{done}{' (dry run, nothing was written)' if invocation.dry_run else ''}")


def _data(context: Context) -> dict[str, Any]:
    return {
        "name": context.name,
        "url": context.url,
        "store": context.store,
        "environment": context.environment or None,
        "colour": context.colour or None,
        "readonly": context.readonly,
        "tenant": context.tenant,
        "key": None if context.key is None else context.key.kind,
    }
