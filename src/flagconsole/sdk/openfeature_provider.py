"""OpenFeature's provider on a ``FlagClient``: evaluation in process, with OpenFeature's interface. Needs the extra
``openfeature``.

The tenant is the context's targeting key. Our flags are boolean, so every other type is a mismatch. What isn't known is an error,
by which OpenFeature's client takes the default in the service's code; a kill is an answer, which no default replaces.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, NoReturn

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import (
    ErrorCode,
    FlagNotFoundError,
    GeneralError,
    ProviderFatalError,
    ProviderNotReadyError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.flag_evaluation import Reason as OpenFeatureReason
from openfeature.provider import AbstractProvider, Metadata, ProviderStatus
from openfeature.track import TrackingEventDetails

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.ofrep import metadata_of, reason_of
from flagconsole.sdk import forking
from flagconsole.sdk.flag_client import FlagClient
from flagconsole.sdk.listeners import Update
from flagconsole.sdk.status import Health

NAME: Final = "flagconsole"
#: How long initialising waits for rules, seconds.
DEADLINE: Final = 5.0
#: How long a provider without contact is stale before that is an error, seconds; as flagd's.
GRACE_SECONDS: Final = 5.0
#: How often it is looked how the client is doing, seconds.
WATCH_SECONDS: Final = 0.1
#: The tracking event that counts as a conversion; all others are metrics of their own name.
CONVERSION: Final = "conversion"

_NOT_IN_METRIC = re.compile(r"[^a-z0-9_]+")
#: So many answers are remembered as OpenFeature has them.
MEMO_LIMIT: Final = 10_000


class _Known(NamedTuple):
    """An answer of the client (which is kept, so that no other has its identity) as OpenFeature has it."""

    evaluation: Evaluation
    epoch: str
    value: bool
    variant: str
    reason: OpenFeatureReason | str
    metadata: dict[str, bool | int | float | str]


class FlagconsoleProvider(AbstractProvider):
    """Evaluates by ``client``, whose rules it waits for when it is initialised, ``deadline`` seconds at most.

    A key without a dot is a flag of ``domain``, where one is given. ``flag_set`` names the set of flags in telemetry (default:
    the store's epoch). Without contact to the server it is stale at once, and after ``grace_seconds`` in error; it goes on
    answering from the last good rules, with the reason ``STALE``. Shutting it down closes the client.
    """

    def __init__(
        self,
        client: FlagClient,
        *,
        deadline: float = DEADLINE,
        grace_seconds: float = GRACE_SECONDS,
        domain: str | None = None,
        flag_set: str | None = None,
    ) -> None:
        super().__init__()
        self._client = client
        self._deadline = deadline
        self._grace = grace_seconds
        self._domain = domain
        self._flag_set = flag_set
        self._epoch = ""
        #: By the identity of the client's answers, which it gives again until its rules are others.
        self._known: dict[int, _Known] = {}
        self._status = ProviderStatus.NOT_READY
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        forking.register(self)

    def get_metadata(self) -> Metadata:
        """Who evaluates."""
        return Metadata(name=NAME)

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Wait for rules that the server has confirmed. Raises ``GeneralError`` where none come in time, and
        ``ProviderFatalError`` where the key is refused and there is nothing to answer from. Either way it goes on trying."""
        self._client.start()
        ready = self._client.wait_ready(self._deadline)
        self._status = ProviderStatus.READY if ready else ProviderStatus.ERROR
        status = self._client.status
        self._epoch = status.epoch
        if self._watcher is None:
            self._client.on_change(self._changed)
            self._watch()
        if ready:
            return
        problem = status.problem or f"no confirmed rules within {self._deadline} s"
        if status.key_refused and status.revision < 0 and not status.killed_here:
            raise ProviderFatalError(problem)
        raise GeneralError(problem)

    def shutdown(self) -> None:
        """Close the client."""
        self.request_close()
        self._client.close()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Whether the feature runs for real: the flag is ``canary`` or ``on`` for the tenant."""
        name = flag_key if self._domain is None else self._flag(flag_key)
        tenant = None if evaluation_context is None else evaluation_context.targeting_key
        evaluation = self._client.evaluate(name, tenant) if tenant else self._client.evaluate_for_all(name)
        # Most answers were given before, and what they look like to OpenFeature takes longer to make than to find.
        known = self._known.get(id(evaluation))
        if known is not None:
            of, epoch, value, variant, reason, metadata = known
            if of is evaluation and epoch is self._epoch:
                if self._status is not ProviderStatus.READY:
                    reason = OpenFeatureReason.STALE
                return FlagResolutionDetails(value=value, variant=variant, reason=reason, flag_metadata=metadata.copy())
        if evaluation is None:
            raise TargetingKeyMissingError(f"flag {flag_key} depends on the tenant: give its id as the targeting key")
        if evaluation.reason is Reason.FLAG_NOT_FOUND:
            raise FlagNotFoundError(f"flag {flag_key} not found")
        if evaluation.reason is Reason.STALE:
            raise ProviderNotReadyError(self._client.status.problem or "there are no rules that may be used")
        made = self._remembered(evaluation)
        return FlagResolutionDetails(
            value=made.value,
            variant=made.variant,
            reason=made.reason if self._status is ProviderStatus.READY else OpenFeatureReason.STALE,
            flag_metadata=made.metadata.copy(),
        )

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """No flag is a string."""
        self._refuse(flag_key, "a string")

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """No flag is an integer."""
        self._refuse(flag_key, "an integer")

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """No flag is a float."""
        self._refuse(flag_key, "a float")

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """No flag is an object."""
        self._refuse(flag_key, "an object")

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Count an event for the tenant: ``conversion`` as a conversion, any other as a metric of its name, a mean where it has
        a value and a number otherwise. It is about the flag that the attribute ``flag`` names, else about all on their way."""
        tenant = None if evaluation_context is None else evaluation_context.targeting_key
        if not tenant:
            return
        details = tracking_event_details or TrackingEventDetails()
        about = details.attributes.get("flag")
        flags = [self._flag(about)] if isinstance(about, str) else self._client.flags_under_way()
        metric = _NOT_IN_METRIC.sub("_", tracking_event_name.lower()).strip("_")[:64]
        for flag in flags:
            if tracking_event_name == CONVERSION:
                self._client.track(flag, tenant, conversion=True)
            elif details.value is None:
                self._client.track(flag, tenant, counts={metric: 1})
            else:
                self._client.track(flag, tenant, values={metric: float(details.value)})

    def before_fork(self) -> None:
        """For ``forking``: the watching thread holds nothing."""

    def after_fork_in_parent(self) -> None:
        """For ``forking``: nothing to mend."""

    def after_fork_in_child(self) -> None:
        """For ``forking``: the watching thread didn't come along."""
        if self._watcher is not None and not self._stopping.is_set():
            self._stopping = threading.Event()
            self._watch()

    def request_close(self) -> None:
        """Watch no more."""
        self._status = ProviderStatus.NOT_READY
        self._stopping.set()

    def close(self, timeout: float = 0.0) -> None:
        """For ``forking``: the client closes itself."""
        self.request_close()

    def _flag(self, key: str) -> str:
        return key if self._domain is None or "." in key else f"{self._domain}.{key}"

    def _refuse(self, flag_key: str, asked: str) -> NoReturn:
        if self._client.version(self._flag(flag_key)) is None:
            raise FlagNotFoundError(f"flag {flag_key} not found")
        raise TypeMismatchError(f"flag {flag_key} is a boolean, not {asked}")

    def _remembered(self, evaluation: Evaluation) -> _Known:
        epoch = self._epoch
        known = _Known(
            evaluation,
            epoch,
            evaluation.enabled,
            evaluation.state.value,
            reason_of(evaluation),
            self._metadata(evaluation),
        )
        if len(self._known) >= MEMO_LIMIT:
            self._known.clear()
        self._known[id(evaluation)] = known
        return known

    def _metadata(self, evaluation: Evaluation) -> dict[str, bool | int | float | str]:
        metadata: dict[str, bool | int | float | str] = dict(metadata_of(evaluation, None))
        version = self._client.version(evaluation.flag_name)
        if version is not None:
            metadata["version"] = str(version)
        metadata["revision"] = evaluation.revision
        if flag_set := self._flag_set or self._epoch:
            metadata["flagSetId"] = flag_set
        return metadata

    def _changed(self, update: Update) -> None:
        self._epoch = update.epoch
        self._known.clear()
        if not self._stopping.is_set():
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(update.flags)))

    def _watch(self) -> None:
        self._watcher = threading.Thread(target=self._follow_health, name="flagconsole-openfeature", daemon=True)
        self._watcher.start()

    def _follow_health(self) -> None:
        """Say when contact is lost, when that has lasted too long, and when it is back."""
        lost_at: float | None = None
        stopping = self._stopping
        while not stopping.wait(WATCH_SECONDS):
            status = self._client.status
            if status.health is Health.READY and status.connected:
                lost_at = None
                self._become(ProviderStatus.READY, "")
                continue
            now = time.monotonic()
            lost_at = now if lost_at is None else lost_at
            problem = status.problem or "the server has not confirmed the rules lately"
            if now - lost_at >= self._grace:
                self._become(ProviderStatus.ERROR, problem)
            elif self._status is ProviderStatus.READY:
                self._become(ProviderStatus.STALE, problem)

    def _become(self, status: ProviderStatus, problem: str) -> None:
        if status is self._status or self._stopping.is_set():
            return
        self._status = status
        if status is ProviderStatus.READY:
            self.emit_provider_ready(ProviderEventDetails())
        elif status is ProviderStatus.STALE:
            self.emit_provider_stale(ProviderEventDetails(message=problem))
        else:
            self.emit_provider_error(ProviderEventDetails(message=problem, error_code=ErrorCode.GENERAL))
