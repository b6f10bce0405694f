"""What services report of their shadow executions. Bounded, since it comes from programs that may be wrong about how much they
have to say."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from flagconsole.domain.execution_type import EffectKind, ExecutionType, Finding
from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import FlagName, Label, TenantId, single_line
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.domain.telemetry import BUCKET_SECONDS, BatchId

MAX_EXECUTIONS: Final = 1000
MAX_FINDINGS: Final = 500
MAX_SAMPLE: Final = 200

_MOST = 10**9
_Count = Annotated[int, Field(ge=0, le=_MOST)]
_Seconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_Second = Annotated[int, Field(ge=0, le=4_102_444_800)]
_Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(single_line)]
_Sample = Annotated[str, Field(min_length=1, max_length=MAX_SAMPLE), AfterValidator(single_line)]


class ShadowBucket(Frozen):
    """What one instance executed for one tenant under one flag, from ``start`` (seconds since the epoch) for the batch's
    ``bucket_seconds``. The fields are those of ``ShadowTally``."""

    start: _Second
    flag_name: FlagName
    tenant_id: TenantId
    execution_type: ExecutionType
    executions: _Count = 0
    successes: _Count = 0
    errors: _Count = 0
    skipped: _Count = 0
    seconds: _Seconds = 0.0
    compared: _Count = 0
    consistent: _Count = 0
    live_seconds: _Seconds = 0.0
    intents: _Count = 0
    invalid_intents: _Count = 0
    effects: dict[EffectKind, _Count] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for part, whole, names in (
            (self.successes + self.errors, self.executions, "successes and errors can't be more than executions"),
            (self.compared, self.executions, "compared can't be more than executions"),
            (self.consistent, self.compared, "consistent can't be more than compared"),
            (self.invalid_intents, self.intents, "invalid_intents can't be more than intents"),
        ):
            if part > whole:
                raise ValueError(names)
        return self

    @property
    def tally(self) -> ShadowTally:
        """The numbers."""
        return ShadowTally(
            self.executions,
            self.successes,
            self.errors,
            self.skipped,
            self.seconds,
            self.compared,
            self.consistent,
            self.live_seconds,
            self.intents,
            self.invalid_intents,
            *(self.effects.get(kind, 0) for kind in EffectKind),
        )


class ShadowFinding(Frozen):
    """One thing that executions under one flag showed, in one bucket, ``times`` times. ``old`` and ``new`` are samples of a
    mismatch, redacted before they left the service."""

    start: _Second
    flag_name: FlagName
    finding: Finding
    name: _Name
    detail: Annotated[str, Field(max_length=128)] = ""
    times: Annotated[int, Field(ge=1, le=_MOST)] = 1
    old: _Sample | None = None
    new: _Sample | None = None

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if self.detail:
            single_line(self.detail)
        return self


class ShadowBatch(Frozen):
    """``POST /api/shadow-executions``. The same ``batch_id`` counts once. ``dropped`` are buckets that the instance had to
    give up since its last batch."""

    batch_id: BatchId
    instance: Label
    service: Label
    bucket_seconds: Literal[1, 2, 3, 5, 6, 10, 15, 30] = BUCKET_SECONDS
    buckets: Annotated[tuple[ShadowBucket, ...], Field(max_length=MAX_EXECUTIONS)] = ()
    findings: Annotated[tuple[ShadowFinding, ...], Field(max_length=MAX_FINDINGS)] = ()
    dropped: _Count = 0

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        for start in (*(item.start for item in self.buckets), *(item.start for item in self.findings)):
            if start % self.bucket_seconds:
                raise ValueError(f"buckets must start at multiples of {self.bucket_seconds} s, {start} is none")
        return self
