"""The least that a server of streams does: ``python fanout.py raw|sse-starlette``. Says where it listens.

``POST /change`` writes one row in a synced transaction, then sends every client of ``GET /stream`` one event, and answers. No rules, no
log, no keys, no order that is kept for those who come back.
"""

import asyncio
import json
import os
import resource
import socket
import sqlite3
import sys
import tempfile

import uvicorn

#: What one event holds: as many bytes as a change of ours.
BODY = json.dumps({"revision": 1, "padding": "x" * 1200})
FRAME = b"event: change\nid: e:1\ndata: " + BODY.encode() + b"\n\n"
FIRST = b"event: heartbeat\ndata: {}\n\n"


class Table:
    """A row in a synced transaction."""

    def __init__(self, folder):
        self.connection = sqlite3.connect(os.path.join(folder, "bare.db"), isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE change (body TEXT)")

    def write(self):
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute("INSERT INTO change VALUES (?)", (BODY,))
        self.connection.execute("COMMIT")


async def answer(send, status=200):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def raw(table):
    """Nothing between uvicorn and this."""
    clients = set()

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        if scope["path"] == "/change":
            table.write()
            for client in clients:
                client.put_nowait(FRAME)
            await answer(send)
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": FIRST, "more_body": True})
        queue = asyncio.Queue()
        clients.add(queue)
        try:
            while True:
                await send({"type": "http.response.body", "body": await queue.get(), "more_body": True})
        finally:
            clients.discard(queue)

    return app


def sse_starlette(table):
    """As its documentation has it: a route that returns its response over a generator."""
    from sse_starlette.sse import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    clients = set()

    async def change(request):
        table.write()
        for client in clients:
            client.put_nowait({"event": "change", "id": "e:1", "data": BODY})
        return JSONResponse({})

    async def stream(request):
        async def events():
            queue = asyncio.Queue()
            clients.add(queue)
            try:
                yield {"event": "heartbeat", "data": "{}"}
                while True:
                    yield await queue.get()
            finally:
                clients.discard(queue)

        return EventSourceResponse(events())

    return Starlette(routes=[Route("/change", change, methods=["POST"]), Route("/stream", stream)])


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        table = Table(folder)
        app = {"raw": raw, "sse-starlette": sse_starlette}[sys.argv[1]](table)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, log_level="error", lifespan="off", access_log=False, timeout_keep_alive=600)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
