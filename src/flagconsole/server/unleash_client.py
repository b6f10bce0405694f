"""Who asks, where an Unleash client asks, and what it says of itself."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Header
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from flagconsole.domain.instance import UNLEASH, id_under
from flagconsole.operations.questions import QuestionReport

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._:@+~-]")
_NOT_A_LABEL = re.compile(r"[^\x20-\x7e]")
_Text = Annotated[str, Field(max_length=500)]
_Count = Annotated[int, Field(ge=0, le=10**9)]


class UnleashClient(NamedTuple):
    """One client as an instance. Its requests show no more than that it ran when it sent them, and what it held then."""

    instance_id: str
    service: str
    sdk_version: str

    @classmethod
    def of(cls, app: str | None, instance: str | None, connection: str | None, sdk: str | None) -> UnleashClient:
        """Who it is by what it says. Instance ids are often the same in all processes; the connection's id never is."""
        name = ":".join(part for part in (instance or app or "unknown", (connection or "")[:8]) if part)
        return cls(UNLEASH + _NOT_IN_ID.sub("-", name)[:120], label(app), label(sdk or "unleash"))

    def under(self, tenant_id: str | None) -> UnleashClient:
        """The same as an instance of the tenant whose key it has."""
        return self._replace(instance_id=id_under(self.instance_id, tenant_id))


def label(text: str | None) -> str:
    """A stranger's name for something, in printable ASCII."""
    return _NOT_A_LABEL.sub("_", text or "")[:100].strip() or "unknown"


async def unleash_client(
    unleash_appname: Annotated[str | None, Header()] = None,
    unleash_instanceid: Annotated[str | None, Header()] = None,
    unleash_connection_id: Annotated[str | None, Header()] = None,
    unleash_sdk: Annotated[str | None, Header()] = None,
) -> UnleashClient:
    """Who asks, by the headers of the request."""
    return UnleashClient.of(unleash_appname, unleash_instanceid, unleash_connection_id, unleash_sdk)


Asker = Annotated[UnleashClient, Depends(unleash_client)]


class _Theirs(BaseModel):
    """What these clients send grows with their versions: fields that nobody knows here are passed over."""

    model_config = ConfigDict(extra="ignore")


class Registration(_Theirs):
    """``POST /api/client/register``."""

    app_name: _Text = Field(alias="appName")
    instance_id: _Text | None = Field(default=None, alias="instanceId")
    connection_id: _Text | None = Field(default=None, alias="connectionId")
    sdk_version: _Text | None = Field(default=None, alias="sdkVersion")
    strategies: list[Any] = Field(default_factory=list)

    @property
    def client(self) -> UnleashClient:
        """Who registers."""
        return UnleashClient.of(self.app_name, self.instance_id, self.connection_id, self.sdk_version)


class Answers(_Theirs):
    """How often one feature was found on and off."""

    yes: _Count = 0
    no: _Count = 0


class Bucket(_Theirs):
    """What was asked from ``start`` to ``stop``."""

    start: AwareDatetime
    stop: AwareDatetime
    toggles: Annotated[dict[str, Answers], Field(max_length=100_000)] = Field(default_factory=dict)


class Metrics(_Theirs):
    """``POST /api/client/metrics``. Without a bucket it is a mere sign of life."""

    app_name: _Text = Field(alias="appName")
    instance_id: _Text | None = Field(default=None, alias="instanceId")
    connection_id: _Text | None = Field(default=None, alias="connectionId")
    bucket: Bucket | None = None

    @property
    def client(self) -> UnleashClient:
        """Who reports; its SDK isn't said here."""
        return UnleashClient.of(self.app_name, self.instance_id, self.connection_id, None)

    def report(self) -> QuestionReport | None:
        """The counts, with an id by which the same report counts once however often it arrives."""
        if self.bucket is None or not self.bucket.toggles:
            return None
        digest = hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]
        return QuestionReport(
            f"unleash-{digest}",
            self.bucket.start.timestamp(),
            self.bucket.stop.timestamp(),
            {name: (answers.yes, answers.no) for name, answers in self.bucket.toggles.items()},
        )
