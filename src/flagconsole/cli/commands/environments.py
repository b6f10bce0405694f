"""``environments``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import print_json, print_table, say, when
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.store_environment import EnvironmentList, EnvironmentView


@click.group("environments", cls=SuggestingGroup)
def environments() -> None:
    """Keep production, staging and others in one store, each with its own flags, keys, log and revision."""


@environments.command("list")
@prints
def list_environments(invocation: Invocation) -> None:
    """List the store's environments, the first one first. A server tells only the one of the key."""
    target = invocation.target()
    if target.store is None:

        async def work(backend: Backend, target: Target) -> EnvironmentList:
            return await backend.environments()

        found = invocation.run(work)
    else:
        found = _on_store(target.store)
    if invocation.as_json:
        print_json(found)
        return
    print_table(
        ["NAME", "REVISION", "EPOCH", "CREATED", "BY"],
        [
            [
                one.name,
                str(one.revision),
                one.epoch,
                "" if one.created_at is None else when(one.created_at),
                one.created_by,
            ]
            for one in found.environments
        ],
    )


def _on_store(store: str) -> EnvironmentList:
    import asyncio

    from flagconsole.operations.store_environments import environment_views
    from flagconsole.store.opening import refuse_missing

    refuse_missing(store)
    return asyncio.run(environment_views(store))


@environments.command("create")
@click.argument("name")
@prints
def create(invocation: Invocation, name: str) -> None:
    """Add an empty environment called NAME to the store. Its keys come next: keys create --environment NAME.

    Servers that run serve it within seconds.
    """
    import asyncio

    from flagconsole.cli.embedded import local_actor
    from flagconsole.operations.store_environments import create_environment

    _say(invocation, asyncio.run(create_environment(_store(invocation, "create"), name, local_actor().name)), "added")


@environments.command("rename")
@click.argument("old")
@click.argument("new")
@prints
def rename(invocation: Invocation, old: str, new: str) -> None:
    """Call the environment OLD by the name NEW. The first one is called `local` until then.

    From the first name on, a server asked for an environment by `serve --environment` serves that one only.
    """
    import asyncio

    from flagconsole.cli.embedded import local_actor
    from flagconsole.operations.store_environments import rename_environment

    by = local_actor().name
    _say(invocation, asyncio.run(rename_environment(_store(invocation, "rename"), old, new, by)), "it is now called")


def _store(invocation: Invocation, what: str) -> str:
    from flagconsole.store.opening import refuse_missing

    store = invocation.target().store
    if store is None:
        raise click.UsageError(f"{what} works on a store, not through a server: run it beside the store, with --store")
    refuse_missing(store)
    return store


def _say(invocation: Invocation, made: EnvironmentView, did: str) -> None:
    if invocation.as_json:
        print_json(made)
    else:
        say(f"{did} {safe_text(made.name)}, at revision {made.revision} of {safe_text(made.epoch)}")
