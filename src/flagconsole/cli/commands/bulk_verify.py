"""``bulk-verify``: is a whole domain what the store says it is, everywhere?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import print_json, print_table, say
from flagconsole.cli.table import Cell
from flagconsole.domain.errors import ExitCode, InvalidInput
from flagconsole.domain.names import domain_of

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.instance import Instance
    from flagconsole.domain.views import FlagView, InstanceList

#: The errors of so many seconds are looked at.
WINDOW: Final = 300


class Verified(NamedTuple):
    """One flag: how many of the instances that are waited for have confirmed its newest change, which were told and can't
    confirm it, which others have not, which services it affects serve old rules or are silent, and its error rate of late
    (None: nothing was measured)."""

    flag: FlagView
    expected: int
    told: tuple[str, ...]
    behind: tuple[str, ...]
    unwell: tuple[str, ...]
    operations: int
    error_rate: float | None

    @property
    def verified(self) -> bool:
        """Whether every instance has confirmed the state in the store and every affected service is well."""
        return not self.told and not self.behind and not self.unwell

    @property
    def confirmed(self) -> int:
        """How many have confirmed it."""
        return self.expected - len(self.told) - len(self.behind)

    def as_json(self) -> dict[str, Any]:
        """The keys that ``--json`` has for a flag."""
        return {
            "flag_name": self.flag.flag_name,
            "state": self.flag.setting.describe(),
            "version": self.flag.version,
            "verified": self.verified,
            "expected": self.expected,
            "confirmed": self.confirmed,
            "told": self.told,
            "behind": self.behind,
            "unwell": self.unwell,
            "operations": self.operations,
            "error_rate": self.error_rate,
        }


@click.command("bulk-verify")
@click.option("--domain", required=True, metavar="D", help="All flags whose names begin with it.")
@prints
def bulk_verify(invocation: Invocation, domain: str) -> None:
    """Check a domain: state in the store, receipts of all instances, health of the services that its flags affect.

    Ends with 8 when an instance has not confirmed a flag's newest change, or a service is not well; with 12 when nothing is
    wrong but that clients that can't confirm were told.
    """

    async def work(backend: Backend, target: Target) -> list[Verified]:
        flags = [flag for flag in (await backend.flags()).flags if domain_of(flag.flag_name) == domain]
        if not flags:
            raise InvalidInput(
                "See: flagconsole list", field="--domain", problem="has no flags in this store", value=domain
            )
        instances = await backend.instances()
        return [await _verified(backend, flag, instances) for flag in flags]

    found = invocation.run(work)
    if invocation.as_json:
        wrong = [item.flag.flag_name for item in found if not item.verified]
        print_json({"domain": domain, "verified": not wrong, "flags": [item.as_json() for item in found]})
    else:
        _print(found)
    if any(item.behind or item.unwell for item in found):
        code = ExitCode.UNCONFIRMED
    else:
        code = ExitCode.UNCONFIRMABLE if any(item.told for item in found) else ExitCode.OK
    click.get_current_context().exit(code)


async def _verified(backend: Backend, flag: FlagView, listed: InstanceList) -> Verified:
    from flagconsole.domain.instance import EXPECTED

    expected = [instance for instance in listed.instances if instance.presence in EXPECTED]
    newest = 0 if flag.last_change is None else flag.last_change.change_id
    told = tuple(item.instance_id for item in expected if item.told(listed.epoch, newest))
    unconfirmed = [item.instance_id for item in expected if not item.confirms(listed.epoch, newest)]
    behind = tuple(name for name in unconfirmed if name not in told)
    affected = [item for item in expected if item.service in flag.affects] or expected
    metrics = await backend.metrics(flag.flag_name, WINDOW)
    errors = sum(
        group.totals.operations * group.totals.error_rate
        for group in metrics.groups.values()
        if group.totals.error_rate is not None
    )
    return Verified(
        flag,
        len(expected),
        told,
        behind,
        tuple(sorted({item.service for item in affected if not _well(item)})),
        metrics.operations,
        errors / metrics.operations if metrics.operations else None,
    )


def _well(instance: Instance) -> bool:
    from flagconsole.domain.instance import Presence

    return instance.presence is Presence.LIVE and instance.status == "ready"


def _print(found: list[Verified]) -> None:
    rows = []
    for item in found:
        confirmed = f"{item.confirmed}/{item.expected - len(item.told)}"
        if item.told:
            confirmed += f", {len(item.told)} told, can't confirm"
        rows.append(
            (
                _verdict(item),
                item.flag.flag_name,
                item.flag.setting.describe(),
                Cell(confirmed) if not item.behind else Cell(f"{confirmed}, behind: {_named(item.behind)}", "red"),
                Cell("well") if not item.unwell else Cell(f"not well: {_named(item.unwell)}", "red"),
                "-" if item.error_rate is None else f"{item.error_rate:.2%}",
            )
        )
    print_table(("VERIFIED", "FLAG", "STATE", "CONFIRMED", "SERVICES", f"ERRORS {WINDOW // 60} MIN"), rows)
    if found[0].expected == 0:
        say("No instances are connected: nobody runs these flags now, so nothing was confirmed either.")


def _verdict(item: Verified) -> Cell:
    if item.verified:
        return Cell("✓ yes", "green")
    if item.behind or item.unwell:
        return Cell("✗ no", "red", bold=True)
    return Cell("? told", "yellow")


def _named(names: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
