"""What a transaction knows of the flags that it has read, so that it doesn't ask again.

Nobody else can change them while it holds the head row. With a flag it is asked at once whether a rollout, a run or an incident is under
way for it: nearly always there is none, and each of these questions would be as dear as the flag.
"""

from __future__ import annotations

from typing import Final

from flagconsole.domain.flag import Flag
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook_run import PlaybookRun
from flagconsole.domain.rollout import Rollout
from flagconsole.store import rows
from flagconsole.store.session import Session
from flagconsole.store.sql_incidents import RUN_IS_ACTIVE, SqlIncidentTransaction
from flagconsole.store.sql_reader import SqlReader
from flagconsole.store.sql_rollouts import ROLLOUT_IS_ACTIVE, SqlRolloutTransaction

_ROLLOUT, _RUN, _INCIDENT = "rollout", "run", "incident"
_AROUND: Final = {
    _ROLLOUT: f"SELECT 1 FROM rollouts AS other WHERE {ROLLOUT_IS_ACTIVE}",
    _RUN: f"SELECT 1 FROM playbook_runs AS other WHERE {RUN_IS_ACTIVE}",
    _INCIDENT: "SELECT 1 FROM incidents AS other WHERE waiting = 1",
}
_FLAG: Final = (
    f"SELECT {', '.join(rows.FLAG_COLUMNS)}, "
    + ", ".join(f"EXISTS ({sql} AND other.flag_name = flag.flag_name) AS {name}" for name, sql in _AROUND.items())
    + " FROM feature_flags AS flag WHERE archived_at IS NULL AND flag_name = ?"
)


class SqlKnownFlags(SqlReader, SqlRolloutTransaction, SqlIncidentTransaction):
    """Reading in a write transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._flags: dict[str, Flag] = {}
        #: What there is none of, by flag.
        self._none: set[tuple[str, str]] = set()

    async def flag(self, flag_name: str) -> Flag | None:
        known = self._flags.get(flag_name)
        if known is not None:
            return known
        row = await self._session.one(_FLAG, flag_name)
        if row is None:
            return None
        flag = self._flags[flag_name] = rows.flag_of(row)
        self._none.update((what, flag_name) for what in _AROUND if not row[what])
        return flag

    def forget_flag(self, flag_name: str) -> None:
        """It is being changed."""
        self._flags.pop(flag_name, None)

    async def active_rollout(self, flag_name: str) -> Rollout | None:
        return None if (_ROLLOUT, flag_name) in self._none else await super().active_rollout(flag_name)

    async def save_rollout(self, rollout: Rollout) -> None:
        self._none.discard((_ROLLOUT, rollout.flag_name))
        await super().save_rollout(rollout)

    async def active_run(self, flag_name: str) -> PlaybookRun | None:
        return None if (_RUN, flag_name) in self._none else await super().active_run(flag_name)

    async def save_run(self, run: PlaybookRun) -> None:
        self._none.discard((_RUN, run.flag_name))
        await super().save_run(run)

    async def incident_under_way(self, flag_name: str) -> Incident | None:
        return None if (_INCIDENT, flag_name) in self._none else await super().incident_under_way(flag_name)

    async def save_incident(self, incident: Incident) -> None:
        self._none.discard((_INCIDENT, incident.flag_name))
        await super().save_incident(incident)
