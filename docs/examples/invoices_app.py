"""A service behind one flag: invoices, written the old way until the new one has proven itself in shadow.

    pip install flagconsole
    export FLAGCONSOLE_URL=http://127.0.0.1:8765 FLAGCONSOLE_API_KEY=fc_sdk_…
    python invoices_app.py

    curl -H 'X-Tenant: tenant-0042' -H 'Content-Type: application/json' \
        -d '{"number": "A-1", "lines": [10.10, 20.20], "email": "ada@example.com"}' http://127.0.0.1:8000/invoices
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

from flagconsole.sdk import FlagClient
from flagconsole.sdk.asgi import FlagGate
from flagconsole.sdk.shadow import Budget, Comparison, Shadow
from flagconsole.sdk.shadow.guards.connection import ConnectionGuard
from flagconsole.sdk.shadow.guards.http import HttpGuard
from flagconsole.sdk.shadow.guards.notification import NotificationGuard

FLAG = "invoices.write"


class Invoice(BaseModel):
    """What a customer sends."""

    number: str
    lines: list[Decimal]
    email: str


class Invoices:
    """Writes invoices: the old way, and the new one that takes the payment too. The guards do nothing outside of shadow work."""

    def __init__(self, database: str, payments: httpx.BaseTransport | None = None) -> None:
        self.connections = ConnectionGuard(lambda: sqlite3.connect(database))
        self.payments = httpx.Client(transport=HttpGuard(payments), base_url="https://payments.example.com")
        self.mails: list[str] = []
        self.send_mail = NotificationGuard("email")(self.mails.append)
        with self.connections() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS invoices (number TEXT PRIMARY KEY, total REAL CHECK (total > 0))"
            )
            connection.commit()

    def write_old(self, invoice: Invoice) -> dict[str, Any]:
        """How it has always been done."""
        return self._insert(invoice, f"{sum(float(line) for line in invoice.lines):.2f}")

    def write_new(self, invoice: Invoice) -> dict[str, Any]:
        """Exact money, a payment, and a mail."""
        total = sum(invoice.lines, Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        written = self._insert(invoice, str(total))
        self.payments.post("/charges", json=written).raise_for_status()
        self.send_mail(invoice.email)
        return written

    def _insert(self, invoice: Invoice, total: str) -> dict[str, Any]:
        with self.connections() as connection:
            connection.execute("INSERT INTO invoices VALUES (?, ?)", (invoice.number, total))
            connection.commit()
        return {"number": invoice.number, "total": total}


def create_app(flags: FlagClient, invoices: Invoices, budget: Budget | None = None) -> FastAPI:
    """The service. ``budget`` caps what shadow work may take."""
    gate = FlagGate(flags, tenant=lambda connection: connection.headers.get("X-Tenant"))
    # Invoice numbers may leave the process as they are; of everything else only the kind of value does.
    comparison = Comparison(redact=lambda field, value: value if field in {"number", "total"} else type(value).__name__)
    shadow = Shadow(FLAG, "dry_run", client=flags, comparison=comparison, budget=budget)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        # Here and not after uvicorn.run: a SIGTERM ends the process before it returns. What was measured last is sent, and
        # no kill waits for this instance any more.
        await asyncio.to_thread(flags.close)

    app = FastAPI(title="invoices", lifespan=lifespan)
    gate.install(app)

    @app.post("/invoices", status_code=201, dependencies=[Depends(gate.require_flag(FLAG, shadow_ok=True))])
    def write(request: Request, invoice: Invoice) -> dict[str, Any]:
        tenant = request.headers["X-Tenant"]
        with flags.operation(FLAG, tenant, critical=sqlite3.OperationalError) as operation:
            try:
                if operation.enabled:
                    return invoices.write_new(invoice)
                if operation.shadow:
                    # The customer gets what the old way says; the new one runs beside it and changes nothing.
                    result = shadow.execute(
                        "write invoice",
                        lambda: invoices.write_new(invoice),
                        validators={"billing.calculate": lambda: bool(invoice.lines)},
                        tenant=tenant,
                        compare=lambda: invoices.write_old(invoice),
                    )
                    return dict(result.live or {})
            except sqlite3.IntegrityError:
                operation.fail()
                raise HTTPException(409, "there is such an invoice already, or it comes to nothing") from None
        # Between the gate and here the flag was turned off.
        raise HTTPException(403, f"{FLAG} has been turned off")

    return app


if __name__ == "__main__":
    import uvicorn

    client = FlagClient(os.environ["FLAGCONSOLE_URL"], os.environ["FLAGCONSOLE_API_KEY"], service="invoices")
    uvicorn.run(create_app(client, Invoices("invoices.db")), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
