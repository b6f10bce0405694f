"""Every way in which a request can fail, with the code, HTTP status and exit code it has everywhere.

A subclass's docstring is its message; ``{braces}`` in it are filled from the keyword arguments, which also become the
error's ``details``. The codes are stable: clients and runbooks match on them.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ExitCode:
    """What the command line exits with."""

    OK: ClassVar[int] = 0
    INTERNAL: ClassVar[int] = 1
    USAGE: ClassVar[int] = 2
    NOT_FOUND: ClassVar[int] = 3
    REFUSED: ClassVar[int] = 4
    CONFLICT: ClassVar[int] = 5
    UNREACHABLE: ClassVar[int] = 6
    NOT_ALLOWED: ClassVar[int] = 7
    UNCONFIRMED: ClassVar[int] = 8
    FAILED: ClassVar[int] = 9
    INCONCLUSIVE: ClassVar[int] = 10
    NO_DATA: ClassVar[int] = 11
    UNCONFIRMABLE: ClassVar[int] = 12
    PLAN_MOVED: ClassVar[int] = 13
    DIFFERS: ClassVar[int] = 14


class FlagConsoleError(Exception):
    """Something went wrong inside flagconsole."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = ExitCode.INTERNAL

    def __init__(self, hint: str = "", **details: Any) -> None:
        self.hint = hint
        self.details = details
        self.message = (type(self).__doc__ or "").strip().format_map(details)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(FlagConsoleError):
    """{field}: {problem} (got {value!r})."""

    code = "invalid_input"
    status = 422
    exit_code = ExitCode.USAGE


class MalformedBody(FlagConsoleError):
    """The request body is not acceptable JSON: {problem}."""

    code = "malformed_body"
    status = 400
    exit_code = ExitCode.USAGE


class BodyTooLarge(FlagConsoleError):
    """The request is larger than {limit} bytes."""

    code = "body_too_large"
    status = 413
    exit_code = ExitCode.USAGE


class UnsupportedMediaType(FlagConsoleError):
    """The request body must be application/json (got {value!r})."""

    code = "unsupported_media_type"
    status = 415
    exit_code = ExitCode.USAGE


class TenantRequired(FlagConsoleError):
    """A tenant is needed."""

    code = "TENANT_REQUIRED"
    status = 401
    exit_code = ExitCode.USAGE


class TooManyRequests(FlagConsoleError):
    """This key goes beyond its limit of {limit} {what}; try again in {retry_after} s."""

    code = "too_many_requests"
    status = 429
    exit_code = ExitCode.UNREACHABLE


class ServerBusy(FlagConsoleError):
    """The server is taking in as many large requests as it can; try again in {retry_after} s."""

    code = "server_busy"
    status = 503
    exit_code = ExitCode.UNREACHABLE


class Unauthenticated(FlagConsoleError):
    """A valid API key is needed."""

    code = "unauthenticated"
    status = 401
    exit_code = ExitCode.NOT_ALLOWED


class NotAllowed(FlagConsoleError):
    """This needs the role {required}; the key has {role}."""

    code = "not_allowed"
    status = 403
    exit_code = ExitCode.NOT_ALLOWED


class BeyondTenant(FlagConsoleError):
    """This key is bound to a tenant, and {operation} concerns all of them."""

    code = "beyond_tenant"
    status = 403
    exit_code = ExitCode.NOT_ALLOWED


class FlagNotFound(FlagConsoleError):
    """There is no flag {flag!r}."""

    code = "flag_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class OverrideNotFound(FlagConsoleError):
    """Tenant {tenant!r} has no override of {flag!r}."""

    code = "override_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class ChangeNotFound(FlagConsoleError):
    """{flag!r} has no change {change_id}."""

    code = "change_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class CohortNotFound(FlagConsoleError):
    """No cohort has been drawn for {flag!r}."""

    code = "cohort_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class TenantNotFound(FlagConsoleError):
    """There is no tenant {tenant!r}."""

    code = "tenant_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class KeyNotFound(FlagConsoleError):
    """There is no API key {key_id!r}."""

    code = "key_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class KeyEnded(FlagConsoleError):
    """The API key {key_id!r} is not valid any more, or was rotated already."""

    code = "key_ended"
    status = 409
    exit_code = ExitCode.CONFLICT


class LastAdmin(FlagConsoleError):
    """{key_id!r} is the last admin's key that doesn't end: without it nobody could make keys."""

    code = "last_admin"
    status = 409
    exit_code = ExitCode.REFUSED


class GrantNotFound(FlagConsoleError):
    """There is no break-glass grant {grant_id!r}."""

    code = "grant_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class BreakGlassUnderWay(FlagConsoleError):
    """The break-glass grant {grant_id!r} is still in force."""

    code = "break_glass_under_way"
    status = 409
    exit_code = ExitCode.CONFLICT


class AnchorNotKept(FlagConsoleError):
    """The anchor could not be written to {place}: {problem}."""

    code = "anchor_not_kept"
    status = 502
    exit_code = ExitCode.UNREACHABLE


class ApprovalRequired(FlagConsoleError):
    """Raising the exposure of {flag!r} needs a second person here."""

    code = "approval_required"
    status = 409
    exit_code = ExitCode.REFUSED


class ApprovalNotFound(FlagConsoleError):
    """There is no approval {approval_id!r}."""

    code = "approval_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class ScheduleNotFound(FlagConsoleError):
    """There is no scheduled change {schedule_id!r}."""

    code = "schedule_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class ScheduleOver(FlagConsoleError):
    """The scheduled change {schedule_id!r} was carried out already."""

    code = "schedule_over"
    status = 409
    exit_code = ExitCode.REFUSED


class NotificationNotFound(FlagConsoleError):
    """There is no message {notification_id!r}."""

    code = "notification_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class NotificationNotGivenUp(FlagConsoleError):
    """The message {notification_id!r} waits for nobody: it is {state}."""

    code = "notification_not_given_up"
    status = 409
    exit_code = ExitCode.REFUSED


class SubscriptionNotFound(FlagConsoleError):
    """There is no subscription {subscription!r}."""

    code = "subscription_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class ApprovalOver(FlagConsoleError):
    """The approval {approval_id!r} was used or declined, or its time is over."""

    code = "approval_over"
    status = 409
    exit_code = ExitCode.CONFLICT


class RouteNotFound(FlagConsoleError):
    """There is nothing at {path!r}."""

    code = "route_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class MethodNotAllowed(FlagConsoleError):
    """{method} is not allowed at {path!r}."""

    code = "method_not_allowed"
    status = 405
    exit_code = ExitCode.USAGE


class StoreNotFound(FlagConsoleError):
    """There is no store at {path!r}."""

    code = "store_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class EnvironmentNotFound(FlagConsoleError):
    """There is no environment {environment!r} in this store; there is {known}."""

    code = "environment_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class EnvironmentExists(FlagConsoleError):
    """There is an environment {environment!r} already."""

    code = "environment_exists"
    status = 409
    exit_code = ExitCode.CONFLICT


class FlagExists(FlagConsoleError):
    """The flag {flag!r} exists already."""

    code = "flag_exists"
    status = 409
    exit_code = ExitCode.CONFLICT


class FlagNameRetired(FlagConsoleError):
    """The name {flag!r} belonged to an archived flag and is never used again."""

    code = "flag_name_retired"
    status = 409
    exit_code = ExitCode.CONFLICT


class StoreNotEmpty(FlagConsoleError):
    """The store already holds {count} flags, so no catalogue was loaded."""

    code = "store_not_empty"
    status = 409
    exit_code = ExitCode.CONFLICT


class TargetNotEmpty(FlagConsoleError):
    """{place} isn't an empty store ({found}), so nothing was moved."""

    code = "target_not_empty"
    status = 409
    exit_code = ExitCode.CONFLICT


class StoreInUse(FlagConsoleError):
    """Something works on {place}, so nothing was moved."""

    code = "store_in_use"
    status = 409
    exit_code = ExitCode.CONFLICT


class ChainBroken(FlagConsoleError):
    """The log of {place} is broken ({problem}), so nothing was moved."""

    code = "chain_broken"
    status = 409
    exit_code = ExitCode.REFUSED


class FlagKilled(FlagConsoleError):
    """{flag!r} is killed; only revive clears a kill."""

    code = "flag_killed"
    status = 409
    exit_code = ExitCode.REFUSED


class FlagNotKilled(FlagConsoleError):
    """{flag!r} is not killed (it is {state})."""

    code = "flag_not_killed"
    status = 409
    exit_code = ExitCode.REFUSED


class NobodyEligible(FlagConsoleError):
    """No tenant is eligible for a cohort of {percentage} % of {flag!r}."""

    code = "nobody_eligible"
    status = 409
    exit_code = ExitCode.REFUSED


class RaiseRefused(FlagConsoleError):
    """This would raise the exposure of {flag!r} from {before} to {after}."""

    code = "raise_refused"
    status = 409
    exit_code = ExitCode.REFUSED


class NothingToRollBack(FlagConsoleError):
    """{flag!r} has no change that could be rolled back."""

    code = "nothing_to_roll_back"
    status = 409
    exit_code = ExitCode.REFUSED


class ChangedAgain(FlagConsoleError):
    """{flag!r} was changed again by change {change_id} ({changed_by}): undo that as well, or leave both."""

    code = "changed_again"
    status = 409
    exit_code = ExitCode.CONFLICT


class HasDependents(FlagConsoleError):
    """{flag!r} can't be archived while other flags depend on it: {dependents}."""

    code = "has_dependents"
    status = 409
    exit_code = ExitCode.REFUSED


class DependencyCycle(FlagConsoleError):
    """The dependencies would form a cycle: {cycle}."""

    code = "dependency_cycle"
    status = 422
    exit_code = ExitCode.REFUSED


class RolloutNotFound(FlagConsoleError):
    """{flag!r} has no rollout under way."""

    code = "rollout_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class NoSuchRollout(FlagConsoleError):
    """{flag!r} never had the rollout {rollout_id!r}."""

    code = "no_such_rollout"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class IncidentNotFound(FlagConsoleError):
    """There is no incident {incident_id!r}."""

    code = "incident_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class StepNotFound(FlagConsoleError):
    """The incident {incident_id!r} has no step {step!r}."""

    code = "step_not_found"
    status = 404
    exit_code = ExitCode.NOT_FOUND


class StepNotWaiting(FlagConsoleError):
    """The step {step!r} waits for nobody: it is {state}."""

    code = "step_not_waiting"
    status = 409
    exit_code = ExitCode.REFUSED


class PlaybookUnderWay(FlagConsoleError):
    """{flag!r} has a playbook under way already."""

    code = "playbook_under_way"
    status = 409
    exit_code = ExitCode.CONFLICT


class RolloutUnderWay(FlagConsoleError):
    """{flag!r} has a rollout under way already."""

    code = "rollout_under_way"
    status = 409
    exit_code = ExitCode.CONFLICT


class NotPassing(FlagConsoleError):
    """{phase!r} of {flag!r} is not passing: {because}."""

    code = "not_passing"
    status = 409
    exit_code = ExitCode.REFUSED


class ExposureFrozen(FlagConsoleError):
    """The exposure of {flag!r} is frozen: {because}."""

    code = "exposure_frozen"
    status = 409
    exit_code = ExitCode.REFUSED


class ChecklistIncomplete(FlagConsoleError):
    """Before its first canary {flag!r} still needs: {missing}."""

    code = "checklist_incomplete"
    status = 409
    exit_code = ExitCode.REFUSED


class LeaseLost(FlagConsoleError):
    """Another controller has taken over (epoch {epoch}, ours is {ours})."""

    code = "lease_lost"
    status = 409
    exit_code = ExitCode.CONFLICT


class VersionConflict(FlagConsoleError):
    """{flag!r} moved to version {current} meanwhile ({changed_by}, {changed_at}); you decided on version {given}."""

    code = "version_conflict"
    status = 412
    exit_code = ExitCode.CONFLICT


class PlanMoved(FlagConsoleError):
    """The plan is no longer the one that was shown: {moved}."""

    code = "plan_moved"
    status = 412
    exit_code = ExitCode.PLAN_MOVED


class VersionRequired(FlagConsoleError):
    """Raising the exposure of {flag!r} needs the version you decided on (If-Match)."""

    code = "version_required"
    status = 428
    exit_code = ExitCode.CONFLICT


class IdempotencyKeyReused(FlagConsoleError):
    """This Idempotency-Key was used for a different request."""

    code = "idempotency_key_reused"
    status = 422
    exit_code = ExitCode.CONFLICT


class ReplicaBehind(FlagConsoleError):
    """This server is at revision {have}, behind the client's {want}."""

    code = "replica_behind"
    status = 503
    exit_code = ExitCode.UNREACHABLE


class StoreUnavailable(FlagConsoleError):
    """The store can't be used: {problem}."""

    code = "store_unavailable"
    status = 503
    exit_code = ExitCode.UNREACHABLE


class AddressUnavailable(FlagConsoleError):
    """The server can't listen on {address}: {problem}."""

    code = "address_unavailable"
    status = 503
    exit_code = ExitCode.UNREACHABLE


class ShuttingDown(FlagConsoleError):
    """The server is shutting down."""

    code = "shutting_down"
    status = 503
    exit_code = ExitCode.UNREACHABLE


class Unreachable(FlagConsoleError):
    """The server at {url} can't be reached: {problem}."""

    code = "unreachable"
    status = 503
    exit_code = ExitCode.UNREACHABLE


class UnexpectedAnswer(FlagConsoleError):
    """{url} did not answer like a flagconsole server: {problem}."""

    code = "unexpected_answer"
    status = 502
    exit_code = ExitCode.UNREACHABLE


class OutcomeUnknown(FlagConsoleError):
    """The change was sent, but whether it was made is not known: {problem}."""

    code = "outcome_unknown"
    status = 503
    exit_code = ExitCode.UNREACHABLE


def _subclasses(base: type[FlagConsoleError]) -> list[type[FlagConsoleError]]:
    return [base, *(sub for direct in base.__subclasses__() for sub in _subclasses(direct))]


#: Code to class, for clients that turn a server's answer back into the error.
BY_CODE: dict[str, type[FlagConsoleError]] = {cls.code: cls for cls in _subclasses(FlagConsoleError)}
