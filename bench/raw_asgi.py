"""The bound of a server's reads: an application that sends bytes which it was given, and does nothing else.

``python -m bench.raw_asgi FILE`` listens on a free loopback port and says which. FILE is a JSON object from paths to a status, headers and a
body in base64. It runs on the same uvicorn as our server, with the same loop and parser.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send


class Raw:
    """The application."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = {
            path: (
                {
                    "type": "http.response.start",
                    "status": status,
                    "headers": [(n.encode(), v.encode()) for n, v in headers],
                },
                {"type": "http.response.body", "body": base64.b64decode(body)},
            )
            for path, (status, headers, body) in answers.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what belongs to the path."""
        start, body = self._answers[scope["path"]]
        await send(start)
        await send(body)


def main() -> None:
    """Serve until ended."""
    app = Raw(json.loads(Path(sys.argv[1]).read_text()))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="none")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
