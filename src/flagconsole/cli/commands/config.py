"""``config``: which server, which key, which tenant."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from flagconsole.cli import configuration
from flagconsole.cli.configuration import KEYRING, configuration_path, load, save, server_url
from flagconsole.cli.invocation import Invocation, prints, writes
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import print_fields, print_json, say, talk
from flagconsole.cli.parameters import OneOf
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text

_ENVIRONMENT = (
    "FLAGCONSOLE_CONTEXT",
    "FLAGCONSOLE_URL",
    "FLAGCONSOLE_STORE",
    "FLAGCONSOLE_API_KEY",
    "FLAGCONSOLE_TENANT",
)


@click.group("config", cls=SuggestingGroup)
def config() -> None:
    """Choose the server, the key and the tenant.

    FLAGCONSOLE_CONTEXT, FLAGCONSOLE_URL, FLAGCONSOLE_STORE, FLAGCONSOLE_API_KEY and FLAGCONSOLE_TENANT override what is configured.
    """


@config.command("set-url")
@click.argument("address", metavar="URL")
@writes
def set_url(invocation: Invocation, address: str) -> None:
    """Work on the server at URL from now on."""
    url = server_url(address)
    before = load(configuration_path())
    if configuration.is_in_clear(url):
        talk("note: over http a key can be read on its way; use https")
    settings: dict[str, str | None] = {"url": url, "store": None}
    has_key = before.api_key is not None or before.api_key_in is not None
    if has_key and before.api_key_url not in {None, url}:
        talk(f"note: the configured key is for {safe_text(before.api_key_url)}; set one for this server as well")
    elif before.api_key is not None:
        settings["api_key_url"] = url
    _store(invocation, settings, f"url is {url}")


@config.command("set-tenant")
@click.argument("tenant_id", metavar="ID")
@writes
def set_tenant(invocation: Invocation, tenant_id: str) -> None:
    """Ask about this tenant, and override for it, from now on."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import TenantRecord

    tenant = ask(TenantRecord, tenant_id=tenant_id).tenant_id
    _store(invocation, {"tenant": tenant}, f"tenant is {safe_text(tenant, 140)}")


@config.command("set-api-key")
@click.argument("key", metavar="KEY|-")
@writes
def set_api_key(invocation: Invocation, key: str) -> None:
    """Keep the key for the configured server; - reads it from standard input.

    It goes into the operating system's keyring where there is one, else into the configuration file, which only its
    owner can read.
    """
    secret = secret_of(key)
    url = _configured_url(invocation)
    settings: dict[str, str | None] = {"api_key": None, "api_key_in": KEYRING, "api_key_url": url}
    if invocation.dry_run:
        _store(invocation, settings, "the key would be kept")
        return
    from flagconsole.cli.credentials import keep_in_keyring

    keyring = keep_in_keyring(url, secret)
    if keyring is None:
        settings |= {"api_key": secret, "api_key_in": None}
    where = f"the keyring ({safe_text(keyring, 80)})" if keyring else f"{configuration_path()} (readable by you only)"
    whom = f" for {url}" if url else ""
    _store(invocation, settings, f"API key{whom} kept in {where}")


@config.command("unset")
@click.argument("name", type=OneOf(["url", "tenant", "api-key"]))
@writes
def unset(invocation: Invocation, name: str) -> None:
    """Forget the url, the tenant or the api-key."""
    if name == "api-key":
        before = load(configuration_path())
        if before.api_key_in == KEYRING and not invocation.dry_run:
            from flagconsole.cli.credentials import forget_in_keyring

            forget_in_keyring(before.api_key_url)
        _store(invocation, {"api_key": None, "api_key_in": None, "api_key_url": None}, "API key forgotten")
    else:
        _store(invocation, {name: None}, f"{name} forgotten")


@config.command("show")
@prints
def show(invocation: Invocation) -> None:
    """Show what is configured, and what overrides it. Never shows a key."""
    path = configuration_path()
    known, target = load(path), invocation.target()
    chosen = target.context
    kept = "keyring" if known.api_key_in == KEYRING else "file" if known.api_key else None
    overridden = [name for name in _ENVIRONMENT if os.environ.get(name)]
    data: dict[str, Any] = {
        "path": str(path),
        "context": None if chosen is None else chosen.name,
        "url": target.url,
        "store": target.store,
        "tenant": target.tenant,
        "api_key_in": kept,
        "api_key_url": known.api_key_url,
        "from_environment": overridden,
    }
    if invocation.as_json:
        print_json(data)
        return
    if chosen is not None and chosen.key is not None:
        key = f"from {chosen.key.in_words()}"
    else:
        key = "not configured" if kept is None else f"kept in the {kept} for {known.api_key_url or 'any server'}"
    print_fields(
        [
            ("configuration", str(path)),
            ("context", "none" if chosen is None else chosen.name),
            ("works on", target.url or str(target.store)),
            ("tenant", target.tenant or "not configured"),
            ("API key", key),
            ("from environment", ", ".join(overridden) or "nothing"),
        ]
    )


def _configured_url(invocation: Invocation) -> str | None:
    """The server that the key is for: the one that commands would work on."""
    target = invocation.target()
    return target.url


def secret_of(key: str) -> str:
    """The key that was given, or (``-``) the first line of standard input. Raises ``InvalidInput``, which never shows it."""
    secret = (sys.stdin.readline() if key == "-" else key).strip()
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        # The value is a secret, or something close to one, so it isn't repeated.
        raise InvalidInput(field="KEY", problem="must be a key like fc_admin_…", value="…")
    return secret


def _store(invocation: Invocation, settings: dict[str, str | None], line: str) -> None:
    if not invocation.dry_run:
        save(configuration_path(), **settings)
    if invocation.as_json:
        shown = {name: "…" if name == "api_key" and value else value for name, value in settings.items()}
        print_json({"dry_run": invocation.dry_run, "path": str(configuration_path()), "settings": shown})
    else:
        say(f"{line} (dry run, nothing was written)" if invocation.dry_run else line)
