"""Which SQL a guarded transaction runs, and which of it writes.

Only statements that a rollback undoes wholly may pass: reading and changing rows, and savepoints. Whatever is not known to be one
of these is refused, since many things end a transaction or escape it (DDL on some databases, COMMIT in a text, COPY to a program).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from flagconsole.sdk.shadow.errors import GuardRefused

_READS: Final = frozenset({"SELECT", "VALUES", "EXPLAIN", "SHOW", "WITH", "TABLE"})
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"})
_SAVEPOINTS: Final = frozenset({"SAVEPOINT", "RELEASE"})

#: What isn't read as SQL. A comment ends at a carriage return too, for PostgreSQL; and there a dollar within a name begins
#: no text.
_HIDDEN = re.compile(
    r"""--[^\n\r]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$\x80-\U0010ffff])\$([A-Za-z_]\w*|)\$.*?\$\1\$""",
    re.DOTALL,
)
_LEFT_OPEN = re.compile(r"""['"]|/\*|\*/|\$\w*\$""")
_WORD = re.compile(r"[A-Za-z_]+")
_WRITING_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_WRITES - {'REPLACE'}))})\b", re.IGNORECASE)
_ROLLBACK_TO = re.compile(r"ROLLBACK\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b", re.IGNORECASE)
#: A table made by a query. In front of every other INTO stands the word of the statement that it belongs to.
_INTO = re.compile(r"(\S*)\s*\bINTO\b", re.IGNORECASE)
_BEFORE_INTO: Final = frozenset({"INSERT", "MERGE", "REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK"})
#: Functions whose effects outlive a rollback.
_ESCAPING = re.compile(
    r"\b(setval|dblink\w*|lo_export|lo_import|pg_(?:try_)?advisory_lock\w*|pg_advisory_unlock\w*|pg_terminate_backend"
    r"|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_logical_emit_message|load_extension|writefile)"
    r"\s*\(",
    re.IGNORECASE,
)


def text_of(statement: Any, connection: Any = None) -> str:
    """The SQL of what a driver was given. Raises ``GuardRefused`` for what can't be read as a text."""
    if isinstance(statement, str):
        return statement
    if isinstance(statement, bytes):
        return statement.decode("utf-8", "surrogateescape")
    if hasattr(statement, "as_string"):
        return str(statement.as_string(connection))
    raise GuardRefused(f"a statement of type {type(statement).__name__} can't be checked")


@lru_cache(maxsize=512)
def writes_of(sql: str) -> int:
    """How many of the statements in ``sql`` write. Raises ``GuardRefused`` for one that a rollback may not undo."""
    if "\\'" in sql:
        raise GuardRefused("a statement with an escaped quote can't be checked; bind the value instead")
    bare = _HIDDEN.sub(" '' ", sql)
    if _LEFT_OPEN.search(bare.replace("''", "")):
        # Also the end of a comment: where comments nest, more or less of it is one than was taken for one here.
        raise GuardRefused("a statement with an open quote or comment can't be checked")
    return sum(_writes(part.strip()) for part in bare.split(";") if part.strip(" \t\r\n("))


def _writes(statement: str) -> bool:
    match = _WORD.search(statement)
    word = match[0].upper() if match is not None else ""
    if word in _SAVEPOINTS or _ROLLBACK_TO.match(statement):
        return False
    if word not in _READS and word not in _WRITES:
        raise GuardRefused(f"{word or 'this statement'} may outlive a rollback")
    if escaping := _ESCAPING.search(statement):
        raise GuardRefused(f"{escaping[1].lower()}() outlives a rollback")
    if any(found[1].upper() not in _BEFORE_INTO for found in _INTO.finditer(statement)):
        raise GuardRefused("a query INTO a table makes one")
    return word in _WRITES or (word in {"WITH", "EXPLAIN"} and _WRITING_WORD.search(statement) is not None)
