"""What responding to an incident may reach: destinations of notices, programs, and addresses, from one TOML file.

```toml
[destinations.pager]
kind = "webhook"                 # or slack
url = "https://pager.example/hook"
secret_env = "PAGER_SECRET"      # the variable that holds the signature key

[audiences]
on_call = ["pager"]

[programs]
kubectl = "/usr/local/bin/kubectl"

[endpoints.circuit_breakers]
url = "https://mesh.example/breakers/open"
secret_env = "MESH_SECRET"

[subscriptions.payments-team]    # is told of changes
destination = "pager"
flags = ["payments.*", "pos.*"]  # all, where left out
topics = ["changes"]             # changes, schedules; both, where left out
```

Addresses must be ``https`` and public. Hosts of one's own network, and those without TLS, are named at the file's top:
``private_hosts = ["mesh.internal", "127.0.0.1"]``.

What isn't configured isn't done, and is recorded as not done.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import Label
from flagconsole.domain.notification import SubscriptionView, Topic
from flagconsole.domain.playbook import Audience
from flagconsole.domain.text import safe_text
from flagconsole.operations.notices import Route
from flagconsole.operations.notifications import Subscriber
from flagconsole.operations.validation import invalid_input

#: The audience that is paged.
ON_CALL: Final = "on_call"

Variable = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Url = Annotated[str, Field(min_length=8, max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")]


class Endpoint(Frozen):
    """An address that playbooks may call."""

    url: Url
    secret_env: Variable | None = None


class Destination(Endpoint):
    """Where notices go. ``slack`` gets its own kind of body; a ``webhook`` gets ours, signed."""

    kind: Annotated[str, Field(pattern="^(webhook|slack)$")] = "webhook"


class Subscription(Frozen):
    """Who is told of changes and of scheduled changes: the ``destination``, about which flags (``*`` stands for anything)."""

    destination: str
    flags: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z0-9._*-]{1,128}$")], ...], Field(min_length=1)] = ("*",)
    topics: Annotated[tuple[Topic, ...], Field(min_length=1)] = tuple(Topic)

    def wants(self, topic: Topic, flag_name: str) -> bool:
        """Whether it is told of this."""
        return topic in self.topics and any(fnmatchcase(flag_name, pattern) for pattern in self.flags)


class Response(Frozen):
    """The whole configuration; empty, it allows nothing and reaches nobody."""

    environment: Label = "local"
    destinations: dict[str, Destination] = Field(default_factory=dict)
    audiences: dict[Audience, tuple[str, ...]] = Field(default_factory=dict)
    programs: dict[str, str] = Field(default_factory=dict)
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    subscriptions: dict[str, Subscription] = Field(default_factory=dict)
    private_hosts: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = ()

    @field_validator("programs")
    @classmethod
    def _absolute(cls, value: dict[str, str]) -> dict[str, str]:
        for name, path in value.items():
            if not path.startswith("/") or "\0" in path:
                raise ValueError(f"the program {name} needs an absolute path, got {path!r}")
        return value

    @model_validator(mode="after")
    def _known(self) -> Self:
        for audience, names in self.audiences.items():
            for name in names:
                if name not in self.destinations:
                    raise ValueError(f"the audience {audience} names {name}, which is no destination")
        for name, subscription in self.subscriptions.items():
            if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name) is None:
                raise ValueError(f"the subscription {name!r} needs a name of a-z, 0-9, _ and -")
            if subscription.destination not in self.destinations:
                raise ValueError(f"the subscription {name} names {subscription.destination}, which is no destination")
        return self

    def routes(self, audience: str) -> tuple[Route, ...]:
        """The destinations of an audience."""
        names = self.audiences.get(audience, ())
        return tuple(Route(name, self.destinations[name].secret_env) for name in names)

    def paged(self, flag_name: str) -> tuple[Subscriber, ...]:
        """Who is told that a scheduled change needs a decision: whoever is on call, and who subscribes to them."""
        on_call = [Subscriber(f"on_call.{name}", name) for name in self.audiences.get(ON_CALL, ())]
        return (*on_call, *self.subscribers(Topic.SCHEDULES, flag_name))

    def subscribers(self, topic: Topic, flag_name: str) -> tuple[Subscriber, ...]:
        """The subscriptions to ``topic`` of this flag."""
        return tuple(
            Subscriber(name, subscription.destination)
            for name, subscription in self.subscriptions.items()
            if subscription.wants(topic, flag_name)
        )

    def subscription_views(self) -> tuple[SubscriptionView, ...]:
        """The subscriptions, without addresses and keys."""
        return tuple(
            SubscriptionView(
                name=name,
                destination=subscription.destination,
                kind=self.destinations[subscription.destination].kind,
                signed=self.destinations[subscription.destination].secret_env is not None,
                topics=subscription.topics,
                flags=subscription.flags,
            )
            for name, subscription in self.subscriptions.items()
        )


def secret_of(name: str | None, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The signature key in the variable ``name``; None where none is named. Raises ``InvalidInput`` for an empty one."""
    if name is None:
        return None
    value = environment.get(name, "")
    if not value:
        raise InvalidInput(field="secret_env", problem="names a variable that is not set", value=name)
    return value.encode()


def read_response(path: Path, *, environment: str = "local") -> Response:
    """The configuration in a file. Raises ``InvalidInput`` naming field, problem and value."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = f"can't be read: {safe_text(error, 300)}"
        raise InvalidInput(field="response", problem=problem, value=str(path)) from None
    try:
        return Response.model_validate({"environment": environment} | data)
    except ValidationError as error:
        raise invalid_input(error) from None
