"""What the system answers about playbooks."""

from __future__ import annotations

from flagconsole.domain.flag import Frozen
from flagconsole.domain.playbook import Condition, Playbook, StepKind


class StepView(Frozen):
    """One step as it is shown before it is done."""

    name: str
    title: str
    kind: StepKind
    when: Condition
    estimate_minutes: float


class PlaybookView(Frozen):
    """A playbook as it is shown before it begins. ``totals`` holds the estimate of flags for which it isn't
    ``total_minutes``."""

    name: str
    description: str
    total_minutes: float
    totals: dict[str, float]
    steps: tuple[StepView, ...]
    verifications: tuple[str, ...]

    @classmethod
    def of(cls, playbook: Playbook) -> PlaybookView:
        """The view of a playbook; what its steps send and run stays inside."""
        return cls(
            name=playbook.name,
            description=playbook.description,
            total_minutes=playbook.total_minutes,
            totals=dict(playbook.totals),
            steps=tuple(
                StepView(**{name: getattr(step, name) for name in StepView.model_fields}) for step in playbook.steps
            ),
            verifications=tuple(point.text for point in playbook.verifications),
        )


class PlaybookList(Frozen):
    """``GET /api/playbooks``: the mildest first."""

    playbooks: tuple[PlaybookView, ...]
