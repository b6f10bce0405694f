"""A console whose server says hostile things wherever it can; run in a pseudo-terminal by ``test_hostile_terminal``.

Arguments: a folder, and a file that is told at the end which screens and sheets were seen and what was sent to the server.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from textual import events

from flagconsole.client.stream import ChangeFrame, IncidentFrame, ReceiptFrame, RolloutFrame, VerdictFrame
from flagconsole.console import app as app_module
from flagconsole.console.app import ConsoleApp, Options
from flagconsole.console.journal import Journal
from flagconsole.console.manners import Manners
from flagconsole.console.screens.console_screen import ConsoleScreen
from flagconsole.console.session import Link
from flagconsole.console.theme import load_theme
from flagconsole.domain.errors import RouteNotFound
from flagconsole.domain.requests import TenantRecord
from flagconsole.domain.verdict import VerdictKind

from .conftest import EPOCH, FakeServer
from .drawn_cohorts import a_drawn_cohort
from .hostile_texts import HOSTILE, KEPT, poisoned
from .shadow_reports import with_mismatches


def hostile_fleet() -> tuple[FakeServer, list[Any]]:
    """A server with a flag, a tenant and an instance for each text, and the frames in which it says the worst."""
    server = FakeServer()
    names = [f"hostile.f{number:02}" for number in range(len(HOSTILE))]
    for name in names:
        server.add(name, "shadow")
    server.add("zz.calm", ago=1e6)
    server.instance("good-01")
    tenants = [TenantRecord.model_construct(tenant_id=text, name=text, active=True, industry=text) for text in HOSTILE]
    server.tenant_records = tuple(tenants)
    told: list[Any] = []
    instance = json.loads(server.instances_by_id["good-01"].model_dump_json())
    for number, (name, text) in enumerate(zip(names, HOSTILE, strict=True), start=1):
        change = server.change(name, "canary" if number % 2 else "shadow", silent=True, percentage=10)
        server.changes[-1] = change.model_copy(update={"change_reason": text, "changed_by": text})
        data = {
            "epoch": EPOCH,
            "revision": change.change_id,
            "change": json.loads(change.model_dump_json()) | {"change_reason": text, "changed_by": text},
            "flag": json.loads(server.flags_by_name[name].model_dump_json())
            | {"description": text, "owner": text, "updated_by": text, "dependencies": [text], "tags": [text]},
            "override": None,
        }
        told.append(ChangeFrame(EPOCH, change.change_id, json.dumps(data)))
        told.append(ReceiptFrame(json.dumps(poisoned(instance, text, KEPT - {"instance_id"}))))
        rollout = server.rollout_of(name)
        verdict = server.verdict(name, VerdictKind.FAIL if number % 3 else VerdictKind.NO_DATA)
        seen = json.loads(rollout.model_copy(update={"verdict": verdict, "pause_reason": "x"}).model_dump_json())
        told.append(RolloutFrame(json.dumps(poisoned(seen, text))))
        numbered = {"verdict_id": number, "verdict": poisoned(json.loads(verdict.model_dump_json()), text)}
        told.append(VerdictFrame(json.dumps(numbered)))
        incident = json.loads(server.incident_of(name, number).model_dump_json())
        told.append(IncidentFrame(json.dumps(poisoned(incident, text))))
        if not any("\ud800" <= char <= "\udfff" for char in text):
            server.cohorts[name] = a_drawn_cohort(name, name=text[:500])
            server.shadow_reports[name] = with_mismatches(name, text[:500])
            asked = server.ask_for(
                name, who=text[:500], ago=number, current_state="on", change_reason=text[:500], text=text[:500]
            )
            if number % 3 == 0:
                server.say_no(asked.approval_id, text[:500], text[:500])
            server.take_rights(text[:500], text[:500], changes=(server.changes[-1],), calls=(text[:500],))
    return server, told


class Recording(ConsoleApp):
    """Remembers which screens and sheets were there."""

    CSS_PATH = Path(app_module.__file__).with_name("console.tcss")
    seen: set[str]
    taken: Path

    def on_mount(self) -> None:
        """Look twenty times a second. Textual calls the app's own ``on_mount`` as well."""
        self.seen = set()
        self.set_interval(0.05, self._look)

    async def on_event(self, event: events.Event) -> None:
        """Say of each key that it was taken and what came of it was painted, so that whoever types can wait for it."""
        await super().on_event(event)
        if isinstance(event, events.Key):
            self.screen.call_later(self.call_after_refresh, self._take)

    def _take(self) -> None:
        self._look()
        with self.taken.open("a") as file:
            file.write(".")

    def _look(self) -> None:
        for screen in self.screen_stack:
            self.seen.add(type(screen).__name__)
            if isinstance(screen, ConsoleScreen) and screen.sheet is not None:
                self.seen.add(type(screen.sheet).__name__)


def main(folder: Path, report: Path) -> int:
    """Run it until it is left."""

    async def connect() -> Link:
        server.failures = [RouteNotFound(path=text) for text in HOSTILE]
        asyncio.get_running_loop().call_later(0.5, lambda: [server.send(frame) for frame in told])
        return Link(server, server.stream)  # type: ignore[arg-type]

    server, told = hostile_fleet()
    app = Recording(
        connect,
        Options(server="http://flags-eu1:8765", log_folder=folder),
        load_theme("night"),
        manners=Manners(notes=False),
        journal=Journal(folder / "journal.db"),
    )
    app.taken = folder / "taken"
    code = app.run(mouse=True) or 0
    sent = [(verb, name) for verb, name, _, _ in server.requests]
    report.write_text(json.dumps({"seen": sorted(app.seen), "sent": sent, "code": code}))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
