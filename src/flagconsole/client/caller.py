"""Requests and answers as models, with everything that all calls share: position, keys, retries, mistrust."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from flagconsole.client.attempts import CHANGE, ONCE, READ, Answer, Patience, answer_to
from flagconsole.client.position import HEADER, Position, position_text
from flagconsole.domain.errors import FlagConsoleError, OutcomeUnknown, UnexpectedAnswer, Unreachable
from flagconsole.domain.flag import Frozen
from flagconsole.domain.text import safe_text

Model = TypeVar("Model", bound=BaseModel)


class Caller:
    """Calls one server over ``connection`` and remembers the highest position that it answered with."""

    def __init__(self, url: str, connection: httpx.AsyncClient) -> None:
        self.position: Position | None = None
        self._url = url
        self._connection = connection

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    async def get(self, path: str, model: type[Model], **query: Any) -> Model:
        """Read ``path`` as ``model``; a query value of ``None`` is left out."""
        answer = await self._ask("GET", path, query, READ)
        try:
            return self._read(answer, model)
        except ValidationError as error:
            raise UnexpectedAnswer(url=self._url, problem=_first_problem(error)) from error

    async def compute(self, path: str, model: type[Model], body: Frozen, *, seconds: float) -> Model:
        """Ask for something that changes nothing and takes up to ``seconds``, as ``model``."""
        content = body.model_dump_json(exclude_unset=True).encode()
        answer = await self._ask("POST", path, {}, ONCE, content=content, read_seconds=seconds)
        try:
            return self._read(answer, model)
        except ValidationError as error:
            raise UnexpectedAnswer(url=self._url, problem=_first_problem(error)) from error

    async def reach(self, path: str) -> None:
        """Raise ``Unreachable`` where nobody answers, whatever the answer would be."""
        try:
            await self._ask("GET", path, {}, ONCE)
        except Unreachable:
            raise
        except FlagConsoleError:
            return

    async def get_bytes(self, path: str) -> bytes:
        """Read ``path`` as it is."""
        return (await self._ask("GET", path, {}, READ)).body

    async def change(
        self,
        method: str,
        path: str,
        model: type[Model],
        body: Frozen | None = None,
        *,
        query: dict[str, Any] | None = None,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        patience: Patience = CHANGE,
        repeatable: bool = True,
    ) -> Model:
        """Change something, with an ``Idempotency-Key`` in any case. What has no body goes into ``query``."""
        key = idempotency_key or str(uuid.uuid4())
        headers = {"Idempotency-Key": key}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        answer = await self._ask(
            method,
            path,
            {**(query or {}), "dry_run": "true" if dry_run else None},
            patience,
            content=None if body is None else body.model_dump_json(exclude_unset=True).encode(),
            headers=headers,
            idempotency_key=None if dry_run else key,
            repeatable=repeatable,
        )
        try:
            return self._read(answer, model, real=not dry_run)
        except ValidationError as error:
            if dry_run:
                raise UnexpectedAnswer(url=self._url, problem=_first_problem(error)) from error
            raise OutcomeUnknown(problem=_first_problem(error), idempotency_key=key) from error

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        patience: Patience,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        idempotency_key: str | None = None,
        repeatable: bool = True,
        read_seconds: float | None = None,
    ) -> Answer:
        params = {name: value for name, value in query.items() if value is not None}

        def make_request() -> httpx.Request:
            sent = dict(headers or {})
            seen = None if self.position is None else position_text(self.position)
            if seen is not None:
                sent[HEADER] = seen
            if content is not None:
                sent["Content-Type"] = "application/json"
            request = self._connection.build_request(method, path, params=params, headers=sent, content=content)
            if read_seconds is not None:
                request.extensions["timeout"] = request.extensions["timeout"] | {"read": read_seconds}
            return request

        return await answer_to(
            self._connection, make_request, patience, idempotency_key=idempotency_key, repeatable=repeatable
        )

    def _read(self, answer: Answer, model: type[Model], *, real: bool = True) -> Model:
        """The answer as ``model``. Fields that a newer server added are passed over. Raises ``ValidationError``.

        The position of what is not ``real``, a dry run, doesn't exist and is not remembered.
        """
        result = model.model_validate_json(answer.body, extra="ignore")
        told = getattr(result, "root", result)
        epoch, revision = getattr(told, "epoch", None), getattr(told, "revision", None)
        if real and isinstance(epoch, str) and isinstance(revision, int):
            self.position = max(self.position or ("", -1), (epoch, revision))
        return result


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the answer"
    return safe_text(f"{where}: {first['msg'].lower()}", 300)
