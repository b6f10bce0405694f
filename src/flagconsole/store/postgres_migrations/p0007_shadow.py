"""What shadow executions came to, what they showed, and one sample of each kind."""

from __future__ import annotations

from typing import Final

_BUCKET = "bucket_start bigint NOT NULL, bucket_seconds bigint NOT NULL"
_NAME = 'text COLLATE "C" NOT NULL'
_FINDING = f"flag_name {_NAME}, finding {_NAME}, name {_NAME}, detail {_NAME}"

SHADOW: Final = (
    f"""
    CREATE TABLE shadow_executions (
        flag_name {_NAME}, tenant_id {_NAME}, execution_type {_NAME}, {_BUCKET},
        executions bigint NOT NULL, successes bigint NOT NULL, errors bigint NOT NULL, skipped bigint NOT NULL,
        seconds double precision NOT NULL, compared bigint NOT NULL, consistent bigint NOT NULL,
        live_seconds double precision NOT NULL, intents bigint NOT NULL, invalid_intents bigint NOT NULL,
        database bigint NOT NULL, http bigint NOT NULL, notification bigint NOT NULL, function bigint NOT NULL,
        PRIMARY KEY (flag_name, bucket_start, bucket_seconds, tenant_id, execution_type)
    )
    """,
    f"""
    CREATE TABLE shadow_findings (
        {_FINDING}, {_BUCKET}, times bigint NOT NULL,
        PRIMARY KEY (flag_name, bucket_start, bucket_seconds, finding, name, detail)
    )
    """,
    "CREATE INDEX ON shadow_executions (bucket_seconds, bucket_start)",
    "CREATE INDEX ON shadow_findings (bucket_seconds, bucket_start)",
    f"""
    CREATE TABLE shadow_samples (
        {_FINDING}, old text, new text, at bigint NOT NULL, PRIMARY KEY (flag_name, finding, name, detail)
    )
    """,
    "CREATE INDEX ON shadow_samples (at)",
    f"CREATE TABLE shadow_newest (flag_name {_NAME} PRIMARY KEY, at bigint NOT NULL)",
)
