"""What every store can do with the list of its environments, which is kept in the first one's partition."""

from __future__ import annotations

from typing import Protocol

from flagconsole.domain.store_environment import StoreEnvironment


class EnvironmentReader(Protocol):
    """Reading the list."""

    async def environments(self) -> list[StoreEnvironment]:
        """The environments that have names, the first one first; none in a store that has only one, without a name, and in
        any other partition than the first."""


class EnvironmentTransaction(EnvironmentReader, Protocol):
    """Writing the list."""

    async def save_environment(self, environment: StoreEnvironment) -> None:
        """Add an environment, or give the one in its partition another name."""
