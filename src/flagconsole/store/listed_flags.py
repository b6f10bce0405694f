"""The flags of an embedded store as a list shows them, read from the file without loading the store.

Only what the whole store would read just so: a file of this version's schema, with one environment. For all else there is the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

#: The number of the newest migration (``sqlite_schema.SCHEMA_VERSION``, which loads them all).
SCHEMA_VERSION = 18
_FLAGS = """
SELECT f.flag_name, f.flag_type, f.current_state, f.canary_percentage, f.canary_tenant_ids, c.changed_at, c.changed_by, c.change_reason
FROM feature_flags AS f LEFT JOIN flag_change_log AS c ON c.change_id = f.last_change_id
WHERE f.archived_at IS NULL ORDER BY f.flag_name
"""


def listed_flags(path: str) -> Sequence[dict[str, Any]] | None:
    """Each flag's columns, and those of its newest change, by name; None where the file isn't such a one.

    Raises ``sqlite3.Error`` where it can't be read.
    """
    if not Path(path).is_file():
        return None
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            return None
        if connection.execute("SELECT count(*) FROM environments").fetchone()[0] > 1:
            return None
        return [dict(row) for row in connection.execute(_FLAGS)]
