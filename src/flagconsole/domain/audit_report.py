"""What checking the audit log found."""

from __future__ import annotations

from flagconsole.domain.audit import ChainReport
from flagconsole.domain.flag import Frozen


class ActsReport(Frozen):
    """The chain of acts. ``first_broken`` is an act's number."""

    verified: bool
    entries: int
    head_hash: str
    first_broken: int | None = None
    problem: str | None = None


class AuditReport(Frozen):
    """``GET /api/audit/verify``: ``verified`` where both chains hold. ``entries`` to ``problem`` are of the changes of flags, ``acts`` of
    everything else; null where nothing is known of those, as in an older export."""

    verified: bool
    entries: int
    epoch: str = ""
    head_revision: int
    head_hash: str
    first_broken: int | None = None
    problem: str | None = None
    acts: ActsReport | None = None

    @property
    def fault(self) -> str:
        """In words what is broken first; empty where nothing is."""
        found = [] if self.problem is None else [f"entry {self.first_broken}: {self.problem}"]
        if self.acts is not None and self.acts.problem is not None:
            found.append(f"act {self.acts.first_broken}: {self.acts.problem}")
        return "; ".join(found)


def report_of(epoch: str, head_revision: int, changes: ChainReport, acts: ChainReport | None) -> AuditReport:
    """The two chains' reports as one."""
    return AuditReport(
        verified=changes.verified and (acts is None or acts.verified),
        entries=changes.entries,
        epoch=epoch,
        head_revision=head_revision,
        head_hash=changes.head_hash,
        first_broken=changes.first_broken,
        problem=changes.problem,
        acts=None if acts is None else ActsReport(**acts._asdict()),
    )
