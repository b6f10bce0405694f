"""``tenants``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import print_json, print_table, say, talk
from flagconsole.cli.parameters import FILE
from flagconsole.cli.table import Cell
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.tenant import TenantProfile
    from flagconsole.domain.views import TenantList

_FORMAT = click.Choice(["csv", "yaml"])
_SUFFIXES = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml", ".json": "yaml"}


@click.group("tenants", cls=SuggestingGroup)
def tenants() -> None:
    """Import, export and list the tenants, with what cohorts are drawn by."""


@tenants.command("list")
@click.option("--all", "everyone", is_flag=True, help="Also those that are no longer active.")
@prints
def list_tenants(invocation: Invocation, everyone: bool) -> None:
    """List the tenants."""

    async def work(backend: Backend, target: Target) -> TenantList:
        return await backend.tenants()

    found = invocation.run(work)
    shown = [tenant for tenant in found.tenants if everyone or tenant.active]
    if invocation.as_json:
        print_json(found.model_copy(update={"tenants": tuple(shown)}))
    elif shown:
        header = ["TENANT", "NAME", "SIZE", "INDUSTRY", "REGION", "RISK", "ENGAGEMENT", "BETA", "TIME ZONE", "NOTES"]
        print_table(header, [_row(tenant) for tenant in shown])
    else:
        talk("there are no tenants; import some with: flagconsole tenants import FILE")


def _row(tenant: TenantProfile) -> list[Cell | str]:
    notes = [
        *([] if tenant.active else ["inactive"]),
        *(["escalation open"] if tenant.open_escalation else []),
        *(["custom configuration"] if tenant.custom_configuration else []),
        *(f"blackout {item.describe()}" for item in tenant.blackouts),
    ]
    return [
        tenant.tenant_id,
        tenant.name,
        _known(tenant.size),
        _known(tenant.industry),
        _known(tenant.region),
        _known(tenant.risk_score),
        _known(tenant.engagement_score),
        Cell("?", dim=True) if tenant.beta_participant is None else "yes" if tenant.beta_participant else "no",
        _known(tenant.timezone),
        ", ".join(notes),
    ]


def _known(value: object) -> Cell | str:
    return Cell("?", dim=True) if value is None else str(value)


@tenants.command("import")
@click.argument("file", type=FILE, metavar="FILE")
@click.option("--format", "kind", type=_FORMAT, help="What the file is, where its name doesn't say it.")
@changes
def import_tenants(invocation: Invocation, file: str, kind: str | None) -> None:
    """Add or update the tenants of a CSV or YAML FILE (- for standard input), all of them or none.

    Columns that the file doesn't have are kept as they are.
    """
    from flagconsole.domain.requests import TenantsPut
    from flagconsole.operations.tenant_file import parse_tenants

    kind = _kind_of(file, kind)
    given = parse_tenants(_read(file), "standard input" if file == "-" else file, kind)

    async def work(backend: Backend, target: Target) -> tuple[TenantList, TenantList]:
        before = await backend.tenants()
        body = TenantsPut(tenants=tuple(given))
        return before, await backend.put_tenants(body, dry_run=invocation.dry_run)

    before, after = invocation.run(work, create=not invocation.dry_run)
    known = {tenant.tenant_id: tenant for tenant in before.tenants}
    added = sum(tenant.tenant_id not in known for tenant in given)
    then = {tenant.tenant_id: tenant for tenant in after.tenants}
    updated = sum(known[name] != then[name] for name in {t.tenant_id for t in given} & set(known) & set(then))
    unchanged = len(given) - added - updated
    if invocation.as_json:
        counts = {"added": added, "updated": updated, "unchanged": unchanged, "tenants": len(then)}
        print_json({**counts, "dry_run": invocation.dry_run})
        return
    would = "would be " if invocation.dry_run else ""
    say(
        f"{added} tenant{'' if added == 1 else 's'} {would}added, {updated} {would}updated, {unchanged} unchanged; {len(then)} in all"
    )


@tenants.command("export")
@click.argument("file", metavar="[FILE]", default="-")
@click.option("--format", "kind", type=_FORMAT, help="csv (the default) or yaml, where the name doesn't say it.")
@prints
def export_tenants(invocation: Invocation, file: str, kind: str | None) -> None:
    """Write the tenants to FILE (default: standard output), in the form that import reads."""
    from flagconsole.operations.tenant_file import dump_tenants

    kind = "csv" if file == "-" and kind is None else _kind_of(file, kind)

    async def work(backend: Backend, target: Target) -> TenantList:
        return await backend.tenants()

    found = invocation.run(work)
    text = dump_tenants(found.tenants, kind)
    if file == "-":
        # A terminal must not act on what somebody wrote into a name; a pipe gets the file as it is.
        click.echo("\n".join(safe_text(line, 2000) for line in text.splitlines()) if sys.stdout.isatty() else text[:-1])
        return
    try:
        Path(file).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidInput(field="FILE", problem=f"can't be written ({error.strerror})", value=file) from None
    if invocation.as_json:
        print_json({"tenants": len(found.tenants), "file": file, "format": kind})
    else:
        say(f"{len(found.tenants)} tenants written to {safe_text(file)}")


def _kind_of(file: str, kind: str | None) -> str:
    found = kind or _SUFFIXES.get(Path(file).suffix.lower())
    if found is None:
        raise click.UsageError(f"{file!r} doesn't end in .csv, .yaml or .yml: say --format csv or --format yaml")
    return found


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(field="FILE", problem=f"can't be read ({error.strerror})", value=file) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(field="FILE", problem=f"is not UTF-8 at byte {error.start}", value=file) from None
