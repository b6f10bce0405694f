"""How receipts are posted: on the straight way to the server, or where there is none, by httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.client.answer import MAX_PROBLEM, read_body
from flagconsole.client.route import Route
from flagconsole.client.straight_post import StraightPost

if TYPE_CHECKING:
    import httpx


class Post:
    """Posts JSON over ``connection``, or past it where there is a ``route``."""

    def __init__(self, connection: httpx.AsyncClient, route: Route | None) -> None:
        self._connection = connection
        self._straight = None if route is None else StraightPost(route)

    async def __call__(self, path: str, content: bytes) -> tuple[int, bytes]:
        """The status and body of the answer. Raises whatever the network can cause."""
        if self._straight is not None:
            return await self._straight.post(path, content)
        import httpx

        for last_try in (False, True):
            headers = {"Content-Type": "application/json"}
            request = self._connection.build_request("POST", path, content=content, headers=headers)
            try:
                response = await self._connection.send(request, stream=True)
            except httpx.TransportError as error:
                # An idle connection that the server closed meanwhile fails like this; a new one won't.
                if last_try or isinstance(error, httpx.ConnectError | httpx.TimeoutException):
                    raise
                continue
            try:
                return response.status_code, await read_body(response, MAX_PROBLEM)
            finally:
                await response.aclose()
        raise AssertionError("the second try returns or raises")

    def close(self) -> None:
        """Hang up what httpx doesn't know of."""
        if self._straight is not None:
            self._straight.close()
