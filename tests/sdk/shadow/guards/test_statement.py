"""Which SQL may run in a guarded transaction, and which of it writes."""

from __future__ import annotations

import pytest

from flagconsole.sdk.shadow import GuardRefused
from flagconsole.sdk.shadow.guards.statement import text_of, writes_of


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("SELECT 1", 0),
        ("select * from t where a = 'drop table t; commit'", 0),
        ("SELECT * FROM t FOR UPDATE", 0),
        ("-- first\n/* commit; */ INSERT INTO t VALUES (1)", 1),
        ("INSERT OR REPLACE INTO t VALUES ('it''s; COMMIT')", 1),
        ("REPLACE INTO t VALUES (1)", 1),
        ("UPDATE t SET a = 1; DELETE FROM t;", 2),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", 1),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", 1),
        ("WITH x AS (SELECT 1) SELECT * FROM x", 0),
        ("EXPLAIN ANALYZE DELETE FROM t", 1),
        ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", 1),
        ("(SELECT 1) UNION (SELECT 2)", 0),
        ("SAVEPOINT sa_1", 0),
        ("RELEASE SAVEPOINT sa_1", 0),
        ("ROLLBACK TO SAVEPOINT sa_1", 0),
        ("SELECT replace(a, 'x', 'y') FROM t", 0),
        ("INSERT INTO t VALUES ($tag$ ; COMMIT; $tag$)", 1),
        ('SELECT "commit" FROM t', 0),
        ("", 0),
    ],
)
def test_rows_may_be_read_and_changed(sql, writes):
    assert writes_of(sql) == writes


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT", "commit;", "END", "BEGIN", "ROLLBACK", "START TRANSACTION", "PREPARE TRANSACTION 'x'", "ABORT",
        "SELECT 1; COMMIT", "INSERT INTO t VALUES (1); COMMIT; BEGIN", "/* x */ -- y\n COMMIT",
        "CREATE TABLE x (a int)", "ALTER TABLE t ADD b int", "DROP TABLE t", "TRUNCATE t", "VACUUM", "REINDEX", "GRANT ALL ON t TO x",
        "PRAGMA journal_mode = DELETE", "ATTACH 'x' AS y", "COPY t TO PROGRAM 'x'", "CALL p()", "DO $$ BEGIN COMMIT; END $$",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "LOCK t", "NOTIFY x", "DISCARD ALL",
        "SELECT * INTO copy FROM t", "SELECT setval('s', 5)", "SELECT pg_advisory_lock(1)", "SELECT dblink_exec('x', 'y')",
        "SELECT E'a\\'' ; COMMIT; SELECT 'x'", "SELECT 'open", "SELECT $$ open", "/* /* */ SELECT */ COMMIT", "SELECT 1 /* open", "(COMMIT)", "5",
        "COMMIT AND CHAIN", "END TRANSACTION", "SELECT 1 -- a\r; COMMIT", "SELECT 1 AS a$x$; COMMIT; SELECT 2 AS b$x$",
        "SELECT 1 AS é$$; COMMIT; SELECT 2 AS é$$", "CLOSE ALL", "EXECUTE x", "DEALLOCATE ALL", "SET CONSTRAINTS ALL IMMEDIATE",
    ],
)  # fmt: skip
def test_whatever_a_rollback_may_not_undo_is_refused(sql):
    with pytest.raises(GuardRefused):
        writes_of(sql)


def test_what_drivers_take_as_statements():
    class Composed:
        def as_string(self, connection):
            return "SELECT 1"

    assert text_of(b"SELECT 1") == text_of("SELECT 1") == text_of(Composed()) == "SELECT 1"
    with pytest.raises(GuardRefused):
        text_of(5)
