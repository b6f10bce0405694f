"""What a request handler needs: the running parts of the server, who asks, and from which position."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from flagconsole.domain.errors import InvalidInput, ReplicaBehind, Unauthenticated
from flagconsole.domain.playbook import Playbook
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import authenticated
from flagconsole.operations.permissions import authorize
from flagconsole.operations.service import Operations
from flagconsole.rollout.prometheus_source import PrometheusSource
from flagconsole.server.evaluations import Evaluations
from flagconsole.server.flag_list import FlagLists
from flagconsole.server.follower import Follower
from flagconsole.server.hub import Hub
from flagconsole.server.instance_book import InstanceBook
from flagconsole.server.known_keys import KnownKeys
from flagconsole.server.known_query import refuse_unknown_query
from flagconsole.server.limits import UNDER_WAY
from flagconsole.server.meters import Meters
from flagconsole.server.prepared import Prepared
from flagconsole.server.projection import Projection
from flagconsole.server.quotas import Quotas
from flagconsole.server.responder import Responder
from flagconsole.server.route_table import operation_of, streams
from flagconsole.server.telemetry_intake import TelemetryIntake
from flagconsole.server.unleash_feed import UnleashFeeds
from flagconsole.store.acting import act_for


@dataclass(frozen=True, slots=True)
class ServerState:
    """The running parts of one server. ``replaying`` lets one replay run at a time: each takes a core for seconds."""

    operations: Operations
    hub: Hub
    book: InstanceBook
    follower: Follower
    meters: Meters
    intake: TelemetryIntake
    unleash: UnleashFeeds
    playbooks: Mapping[str, Playbook]
    prometheus: PrometheusSource | None
    replaying: asyncio.Lock
    quotas: Quotas
    responder: Responder
    prepared: Prepared
    flag_lists: FlagLists
    known_keys: KnownKeys
    evaluations: Evaluations

    @property
    def projection(self) -> Projection:
        """The view of the store, which the follower may replace."""
        return self.follower.projection

    async def now(self) -> datetime:
        """The store's time."""
        async with self.operations.store.read() as reader:
            return await reader.now()


async def server_state(request: Request) -> ServerState:
    """The state that the application was started with. Not a plain function, for each of which FastAPI would go to a thread and back."""
    return cast(ServerState, request.app.state.server)


State = Annotated[ServerState, Depends(server_state)]
_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer fc_…`")


async def caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Actor:
    """Whose key the request carries. It may do what the route is for, and no more of it than its quota, and its query has nothing that the
    route doesn't know, or the request ends here."""
    state = await server_state(request)
    if credentials is None:
        raise Unauthenticated("Send a valid key as 'Authorization: Bearer KEY'.")
    actor = await authenticated(state.operations.store, credentials.credentials)
    admitted(request, state, actor)
    await state.operations.note_deed(actor, operation_of(request), f"{request.method} {request.url.path}")
    refuse_unknown_query(request)
    return actor


def admitted(request: Request, state: ServerState, actor: Actor) -> Actor:
    """Let the actor in until the answer is sent. Raises ``NotAllowed``, ``BeyondTenant`` or ``TooManyRequests``."""
    operation = operation_of(request)
    authorize(actor, operation)
    act_for(actor.tenant_id)
    request.scope[UNDER_WAY].enter_context(state.quotas.asking(actor, operation, streams=streams(request)))
    return actor


Caller = Annotated[Actor, Depends(caller)]


async def fresh(
    state: State,
    x_flagconsole_position: Annotated[
        str | None, Header(max_length=90, pattern=r"^[0-9A-Za-z-]{1,64}:[0-9]{1,18}$")
    ] = None,
) -> None:
    """Refuse a client that has already seen a later position than this server has."""
    if x_flagconsole_position is not None:
        await at_least(state, x_flagconsole_position)


Fresh = Depends(fresh)


async def at_least(state: ServerState, position: str) -> tuple[str, int]:
    """The position, if this server has reached it (of another, older epoch it always has); else ``ReplicaBehind``."""
    epoch, revision = parse_position(position)
    for attempt in range(2):
        have = state.projection.ruleset
        if epoch < have.epoch or (epoch == have.epoch and revision <= have.revision):
            break
        if attempt == 1:
            raise ReplicaBehind(
                "Ask another server, or again in a moment.",
                have=f"{have.epoch}:{have.revision}",
                want=f"{epoch}:{revision}",
            )
        await state.follower.catch_up()
    return epoch, revision


def parse_position(text: str) -> tuple[str, int]:
    """``epoch:revision``. Raises ``InvalidInput`` for anything else."""
    epoch, colon, revision = text.partition(":")
    if not colon or not epoch or not revision.isascii() or not revision.isdigit() or len(revision) > 18:
        raise InvalidInput(field="position", problem="must be epoch:revision", value=text[:90])
    return epoch, int(revision)
