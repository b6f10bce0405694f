"""Where a command works: on a server or on an embedded store, with which key, for which tenant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from flagconsole.cli import configuration
from flagconsole.cli.configuration import KEYRING, Configuration, server_url
from flagconsole.cli.contexts import Context, context_named
from flagconsole.domain.errors import InvalidInput, Unauthenticated

if TYPE_CHECKING:
    from flagconsole.cli.invocation import Invocation

#: ``--store demo`` is the store of the demo that runs in another terminal.
DEMO: Final = "demo"


@dataclass(frozen=True, slots=True)
class Target:
    """A server (``url``) or an embedded store (``store``), never both, and the ``environment`` of a store that was asked for. ``asked_tenant`` is the one of this very command,
    ``tenant`` also the environment's and the configured one. ``context`` is the context that named the place, if any."""

    url: str | None
    store: str | None
    tenant: str | None
    asked_tenant: str | None
    given_key: str | None
    configured: Configuration
    context: Context | None = None
    environment: str | None = None

    @property
    def label(self) -> str:
        """What the context calls the environment."""
        return "" if self.context is None else self.context.environment

    @property
    def has_key(self) -> bool:
        """Whether some key is given or configured, for this server or another."""
        known = self.configured
        return bool(self.given_key or self.context or known.api_key or known.api_key_in == KEYRING)

    def api_key(self) -> str:
        """The key for the server. Raises ``Unauthenticated`` where none is known for it."""
        if self.given_key:
            return self.given_key
        if self.context is not None:
            return self.context.api_key()
        known = self.configured
        has_key = known.api_key is not None or known.api_key_in == KEYRING
        if has_key and known.api_key_url not in {None, self.url}:
            raise Unauthenticated(f"The configured key is for {known.api_key_url}, and is sent to no other server.")
        if known.api_key_in == KEYRING:
            from flagconsole.cli.credentials import read_from_keyring

            key = read_from_keyring(known.api_key_url)
            if key is None:
                raise Unauthenticated("The keyring doesn't give the key; set FLAGCONSOLE_API_KEY.")
            return key
        if known.api_key is None:
            raise Unauthenticated("Set FLAGCONSOLE_API_KEY, or run: flagconsole config set-api-key -")
        return known.api_key


def default_store() -> str:
    """The embedded store in the user's data folder."""
    return f"sqlite:{Path(platformdirs.user_data_dir('flagconsole')) / 'flagconsole.db'}"


def resolve(asked: Invocation, environment: Mapping[str, str] = os.environ) -> Target:
    """What the command's options say, else the environment, else the configuration, else the embedded store."""
    configured = configuration.load(configuration.configuration_path())
    names = ("URL", "STORE", "API_KEY", "TENANT", "CONTEXT", "ENVIRONMENT")
    variables = {name: environment.get(f"FLAGCONSOLE_{name}") or None for name in names}
    url, store = _place(asked.url, asked.store, "--url and --store")
    context = _context(asked, variables, configured)
    if context is not None:
        url, store = context.url, context.store
    if url is None and store is None:
        url, store = _place(variables["URL"], variables["STORE"], "FLAGCONSOLE_URL and FLAGCONSOLE_STORE")
    if url is None and store is None:
        url, store = _place(configured.url, configured.store, "the configuration's url and store")
    if store == DEMO:
        from flagconsole.demo.running import running_demo

        store = running_demo()
    if url is not None and asked.environment is not None:
        problem = "is the key's on a server; it is chosen in a store only"
        raise InvalidInput(
            "Use a key of that environment.", field="--environment", problem=problem, value=asked.environment
        )
    # A context's own key is for its server; the environment's may be for another one.
    own_key = context is not None and context.key is not None
    return Target(
        url=None if url is None else server_url(url),
        store=(store or default_store()) if url is None else None,
        tenant=asked.tenant or variables["TENANT"] or (context.tenant if context is not None else configured.tenant),
        asked_tenant=asked.tenant,
        given_key=asked.api_key or (None if own_key else variables["API_KEY"]),
        configured=configured,
        context=context,
        environment=asked.environment or (variables["ENVIRONMENT"] if url is None else None),
    )


def _context(asked: Invocation, variables: Mapping[str, str | None], configured: Configuration) -> Context | None:
    """The context that counts: the one asked for; else, where no place is named, the environment's or the chosen one."""
    place = asked.url or asked.store
    if asked.context is not None and place is not None:
        problem = "only one of them can be given"
        raise InvalidInput(field="--context and --url or --store", problem=problem, value=asked.context)
    if asked.context is not None:
        return context_named(configured, asked.context)
    if place is not None or variables["URL"] or variables["STORE"]:
        return None
    if variables["CONTEXT"]:
        return context_named(configured, variables["CONTEXT"], "FLAGCONSOLE_CONTEXT")
    return None if configured.context is None else context_named(configured, configured.context, "context")


def resolve_store(asked: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The store that a server serves: the one asked for, else FLAGCONSOLE_STORE, the configured or the embedded one."""
    configured = configuration.load(configuration.configuration_path())
    return asked or environment.get("FLAGCONSOLE_STORE") or configured.store or default_store()


def _place(url: str | None, store: str | None, where: str) -> tuple[str | None, str | None]:
    if url is not None and store is not None:
        raise InvalidInput(field=where, problem="only one of them can be given", value=url)
    return url, store
