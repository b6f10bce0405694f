"""Stores of any size, filled quickly: rows as the store writes them, put in by the hundred thousand; the log's entries are chained."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flagconsole.domain.change import Change
from flagconsole.domain.requests import FlagCreate, FlagUpdate
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store, rows

#: Flags that there are at least. The first one is the one that is asked for, in a canary; most of the history is of its domain.
LEAST_FLAGS = 30
FLAG = "team.flag_000000"
#: So many entries of the history, spread over it, are of another domain than the others.
RARE = 60
RARE_FLAG = "rare.flag"


class World:
    """A store's file, and ways to make something in it more."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:{path}"
        self._path = path

    async def begin(self) -> None:
        """A few flags, made by the store's own operations."""
        store = await open_store(self.url)
        try:
            operations = Operations(store)
            for name in (*(flag_name(number) for number in range(LEAST_FLAGS)), RARE_FLAG):
                await operations.create(SYSTEM, FlagCreate(flag_name=name, description="A flag of the benchmark"))
            update = FlagUpdate(current_state=FlagState.CANARY, canary_percentage=10, change_reason="benchmark")
            await operations.update(SYSTEM, FLAG, update)
        finally:
            await store.close()

    def flags(self, count: int) -> None:
        """So many flags, copies of the last one."""
        with self._open() as db:
            columns = [row[1] for row in db.execute("PRAGMA table_info(feature_flags)")]
            template = list(db.execute("SELECT * FROM feature_flags WHERE flag_name = ?", (flag_name(1),)).fetchone())
            have = db.execute("SELECT count(*) FROM feature_flags").fetchone()[0] - 1
            place = columns.index("flag_name")
            made = ((*template[:place], flag_name(number), *template[place + 1 :]) for number in range(have, count))
            db.executemany(f"INSERT INTO feature_flags VALUES ({', '.join('?' * len(columns))})", made)

    def overrides(self, count: int) -> None:
        """So many overrides, spread over the first flags."""
        sql = (
            "INSERT INTO tenant_flag_overrides (flag_name, tenant_id, override_state, override_reason, created_at, created_by) "
            "VALUES (?, ?, 'on', 'benchmark', ?, 'bench')"
        )
        at = rows.timestamp(datetime.now(UTC))
        with self._open() as db:
            db.executemany(sql, ((flag_name(n % LEAST_FLAGS), tenant_name(n), at) for n in range(count)))

    def tenants(self, count: int) -> None:
        """So many tenants with a profile."""
        sql = "INSERT INTO tenants (tenant_id, name, active, region, industry, risk_score) VALUES (?, ?, 1, 'eu', 'restaurants', 0.1)"
        with self._open() as db:
            db.executemany(sql, ((tenant_name(number), f"Tenant {number}") for number in range(count)))

    def instances(self, count: int) -> None:
        """So many instances that were heard from just now."""
        at = rows.timestamp(datetime.now(UTC))
        with self._open() as db:
            epoch, revision = db.execute("SELECT epoch, revision FROM store_head").fetchone()
            columns = (*rows.INSTANCE_COLUMNS, "reported_to")
            values = ("svc", "python-1", epoch, revision, at, at, at, "ready", "stream", "live", revision, "bench")
            made = ((f"instance-{number:06}", *values) for number in range(count))
            marks = ", ".join("?" * len(columns))
            db.executemany(f"INSERT INTO instances ({', '.join(columns)}) VALUES ({marks})", made)

    def history(self, count: int) -> None:
        """A log of so many entries, chained as the store chains them; nearly all of one domain."""
        with self._open() as db:
            epoch, revision, previous = db.execute("SELECT epoch, revision, audit_hash FROM store_head").fetchone()
            chain = Chain(str(epoch), int(revision), str(previous), max(2, count // RARE))
            marks = ", ".join("?" * len(rows.CHANGE_COLUMNS))
            columns = ", ".join(f'"{name}"' for name in rows.CHANGE_COLUMNS)
            db.executemany(f"INSERT INTO flag_change_log ({columns}) VALUES ({marks})", chain.entries(count - revision))
            db.execute("UPDATE store_head SET revision = ?, audit_hash = ?", (chain.revision, chain.hash))

    def _open(self) -> sqlite3.Connection:
        # What a power cut would leave of it doesn't matter.
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA synchronous = OFF")
        return connection


class Chain:
    """Entries that follow each other. Most of an entry's canonical text is the same for all, so it is written once."""

    def __init__(self, epoch: str, revision: int, previous: str, rare_every: int) -> None:
        self.revision, self.hash, self._rare_every = revision, previous, rare_every
        self._begun = datetime.now(UTC) - timedelta(days=900)
        self._setting = {"canary_percentage": 0, "canary_tenants": 0}
        self._sample = Change(
            change_id=1,
            epoch=epoch,
            flag_name="@flag",
            tenant_id=None,
            action="set",
            change_type="manual",
            previous={"current_state": "off", **self._setting},
            new={"current_state": "on", **self._setting},
            change_reason="benchmark",
            changed_by="bench",
            changed_at=self._begun,
            version=0,
            previous_hash="@previous",
            hash="",
        )

    def entries(self, count: int) -> Iterator[tuple[object, ...]]:
        """The next so many rows of the log."""
        fields = self._sample.model_dump(mode="json", exclude={"hash"})
        fields = {
            name: value
            for name, value in fields.items()
            if value is not None or name not in ("break_glass", "approved_by")
        }
        row = rows.change_row(self._sample)
        order = list(rows.CHANGE_COLUMNS)
        text = json.dumps(
            fields | {"change_id": "@id", "version": "@version", "changed_at": "@at"},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        # Braces of the JSON are doubled for format.
        form = text.replace("{", "{{").replace("}", "}}")
        for mark, field in (("@id", "id"), ("@version", "version")):
            form = form.replace(f'"{mark}"', "{" + field + "}")
        for mark, field in (("@at", "at"), ("@flag", "flag"), ("@previous", "previous")):
            form = form.replace(mark, "{" + field + "}")
        places = {
            name: order.index(name)
            for name in ("change_id", "flag_name", "changed_at", "version", "previous_hash", "hash")
        }
        template = [row[name] for name in order]
        for _ in range(count):
            number = self.revision + 1
            moment = self._begun + timedelta(seconds=number)
            at = moment.strftime("%Y-%m-%dT%H:%M:%S.000001Z")
            flag = RARE_FLAG if number % self._rare_every == 0 else flag_name(number % LEAST_FLAGS)
            text = form.format(id=number, version=number, at=at, flag=flag, previous=self.hash)
            hashed = hashlib.sha256(self.hash.encode() + text.encode()).hexdigest()
            entry = list(template)
            entry[places["change_id"]], entry[places["flag_name"]] = number, flag
            entry[places["changed_at"]], entry[places["version"]] = at, number
            entry[places["previous_hash"]], entry[places["hash"]] = self.hash, hashed
            self.revision, self.hash = number, hashed
            yield tuple(entry)


def flag_name(number: int) -> str:
    """The name of one of the flags."""
    return f"team.flag_{number:06}"


def tenant_name(number: int) -> str:
    """The name of one of the tenants."""
    return f"tenant-{number:07}"
