"""The environments of a store: which there are, and making and naming them. It is done on the store, by whom it belongs to."""

from __future__ import annotations

from flagconsole.domain.act import ActDraft, ActKind
from flagconsole.domain.errors import EnvironmentExists, EnvironmentNotFound, InvalidInput, TargetNotEmpty
from flagconsole.domain.role import Actor
from flagconsole.domain.store_environment import (
    UNNAMED,
    EnvironmentList,
    EnvironmentView,
    StoreEnvironment,
    checked_environment,
)
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.opening import open_store
from flagconsole.store.partition_making import make_partition
from flagconsole.store.protocol import Reader, Store


class StoreEnvironmentOperations:
    """What a key may ask."""

    store: Store
    environment: str

    async def environments(self, actor: Actor) -> EnvironmentList:
        """The environment that the actor works in, and no other."""
        authorize(actor, Operation.READ)
        view = await environment_view(self.store, StoreEnvironment(name=self.environment))
        return EnvironmentList(environments=(view,))


async def known_environments(reader: Reader) -> tuple[StoreEnvironment, ...]:
    """The environments of the store whose first partition is read: at least the first one, which may have no name yet."""
    return tuple(await reader.environments()) or (StoreEnvironment(name=UNNAMED),)


async def environments_of(url: str, *, listen_url: str | None = None) -> tuple[StoreEnvironment, ...]:
    """The environments of the store at ``url``, the first one first."""
    store = await open_store(url, listen_url=listen_url)
    try:
        async with store.read() as reader:
            return await known_environments(reader)
    finally:
        await store.close()


async def environment_named(url: str, name: str) -> StoreEnvironment:
    """The environment of that name in the store at ``url``. Raises ``EnvironmentNotFound``."""
    return chosen(await environments_of(url), name)


def chosen(known: tuple[StoreEnvironment, ...], name: str) -> StoreEnvironment:
    """The one of that name. Raises ``EnvironmentNotFound`` naming those that there are."""
    found = next((environment for environment in known if environment.name == name), None)
    if found is None:
        raise EnvironmentNotFound(environment=name, known=", ".join(environment.name for environment in known))
    return found


async def environment_views(url: str) -> EnvironmentList:
    """All environments of the store at ``url`` with their positions. Raises ``StoreUnavailable`` where one can't be read."""
    return EnvironmentList(environments=tuple([await _view(url, one) for one in await environments_of(url)]))


async def create_environment(url: str, name: str, by: str) -> EnvironmentView:
    """Add an environment without flags, keys or log to the store at ``url``. An attempt that ended half-way is finished.

    Raises ``EnvironmentExists``, ``InvalidInput`` for a name that can't be one and while the first environment has none, and
    ``TargetNotEmpty`` where something else is in its place.
    """
    checked_environment(name)
    store = await open_store(url)
    try:
        async with store.read() as reader:
            known = await reader.environments()
        _refuse_taken(known, name)
        if not known:
            raise InvalidInput(
                f"Name it first: flagconsole environments rename {UNNAMED} production",
                field="environment",
                problem="needs the one that is there to have a name too",
                value=name,
            )
        place = await make_partition(url, name)
        await _refuse_used(url, name, place)
        async with store.write() as tx:
            _refuse_taken(await tx.environments(), name)
            made = StoreEnvironment(name=name, partition=name, created_at=await tx.now(), created_by=by)
            await tx.save_environment(made)
            kind = ActKind.ENVIRONMENT_CREATED
            await tx.record(ActDraft(kind=kind, subject=name, by=by, at=await tx.now(), details={"partition": name}))
    finally:
        await store.close()
    return await _view(url, made)


async def rename_environment(url: str, old: str, new: str, by: str) -> EnvironmentView:
    """Call an environment otherwise, or give the first one its name. What holds it stays where it is; servers say the new name
    within seconds. Raises ``EnvironmentNotFound``, ``EnvironmentExists`` and ``InvalidInput``."""
    checked_environment(new)
    store = await open_store(url)
    try:
        async with store.write() as tx:
            environment = chosen(await known_environments(tx), old)
            others = [one for one in await tx.environments() if one.partition != environment.partition]
            _refuse_taken(others, new)
            named = environment.model_copy(
                update={
                    "name": new,
                    "created_at": environment.created_at or await tx.now(),
                    "created_by": environment.created_by or by,
                }
            )
            await tx.save_environment(named)
            kind, details = ActKind.ENVIRONMENT_RENAMED, {"partition": named.partition, "name": new}
            await tx.record(ActDraft(kind=kind, subject=old, by=by, at=await tx.now(), details=details))
    finally:
        await store.close()
    return await _view(url, named)


def _refuse_taken(known: list[StoreEnvironment], name: str) -> None:
    # Also by the place that one was made in which has another name now.
    if any(name in {environment.name, environment.partition} for environment in known):
        raise EnvironmentExists(environment=name)


async def _refuse_used(url: str, partition: str, place: str) -> None:
    store = await open_store(url, partition=partition)
    try:
        async with store.read() as reader:
            revision, keys = (await reader.head()).revision, len(await reader.api_keys())
    finally:
        await store.close()
    if revision or keys:
        found = f"revision {revision} and {keys} keys"
        raise TargetNotEmpty("Choose another name, or move it away.", place=place, found=found)


async def _view(url: str, environment: StoreEnvironment) -> EnvironmentView:
    store = await open_store(url, partition=environment.partition)
    try:
        return await environment_view(store, environment)
    finally:
        await store.close()


async def environment_view(store: Store, environment: StoreEnvironment) -> EnvironmentView:
    """An environment with the position of the store that holds it."""
    async with store.read() as reader:
        head = await reader.head()
    return EnvironmentView(
        name=environment.name,
        epoch=head.epoch,
        revision=head.revision,
        created_at=environment.created_at,
        created_by=environment.created_by,
    )
