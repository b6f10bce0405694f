"""The features' new way in shadow: what the demo's services run beside the old one while a flag is in shadow.

Both ways really work: they price an order with tax and write it to a database of the instance's own, in memory. The old one asks for
each line's price by itself and rounds floating-point numbers; the new one asks once, counts in whole cents, charges and sends a mail.
So the shadow report shows real times, and where the two really differ.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

from flagconsole.sdk import FlagClient
from flagconsole.sdk.shadow import Budget, Comparison, IntentBus, Shadow
from flagconsole.sdk.shadow.guards.connection import ConnectionGuard
from flagconsole.sdk.shadow.guards.function import FunctionGuard
from flagconsole.sdk.shadow.guards.notification import NotificationGuard

#: A quarter of the requests is enough to learn from.
SHARE: Final = 0.25
#: With the tax of 8.25 % a price is 433/400 of what it is without.
_TAX: Final = (433, 400)
_LINES: Final = (80, 240)
#: Items on the price list.
_ITEMS: Final = 5000
_PRICES: Final = "SELECT item, cents FROM prices WHERE item IN ({})"
_ONE_PRICE: Final = "SELECT cents FROM prices WHERE item = ?"


class Order(NamedTuple):
    """What an operation is about: its lines' items."""

    tenant: str
    items: tuple[int, ...]


class NewCodeFailed(RuntimeError):
    """The demo's fault, where it strikes the new code."""


def some_order(chance: random.Random, tenant: str) -> Order:
    """An order as customers place them."""
    return Order(tenant, tuple(chance.choices(range(_ITEMS), k=chance.randint(*_LINES))))


class NewWay:
    """The two ways of one instance. Belongs to the thread that uses it."""

    def __init__(self, client: FlagClient, features: Iterable[str]) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute("CREATE TABLE orders (tenant TEXT PRIMARY KEY, total TEXT CHECK (total > 0))")
        self._database.execute("CREATE TABLE prices (item INTEGER PRIMARY KEY, cents INTEGER NOT NULL)")
        prices = random.Random("prices")  # noqa: S311  # a simulation
        # Most prices end in 99, as prices do; of the others some come to half a cent with tax.
        rows = [
            (item, prices.randrange(1, 500) * 100 - 1 if item % 4 else prices.randrange(100, 50_000))
            for item in range(_ITEMS)
        ]
        self._database.executemany("INSERT INTO prices VALUES (?, ?)", rows)
        self._database.commit()
        self._connections = ConnectionGuard(lambda: nullcontext(self._database))
        self._charge = FunctionGuard(name="charge")(_charged)
        self._send_mail = NotificationGuard("email")(_sent)
        self._ui = IntentBus()
        comparison = Comparison(redact=lambda field, value: str(value) if field == "total" else type(value).__name__)
        self._shadows = {
            name: Shadow(name, client=client, budget=Budget(share=SHARE), comparison=comparison) for name in features
        }

    def beside_the_old(self, feature: str, order: Order, *, fails: bool) -> None:
        """Work the old way for real, and the new one in shadow; with ``fails`` the new one meets the demo's fault."""
        self._shadows[feature].execute(
            "place order",
            lambda: self._new(order, fails=fails),
            validators={"order_has_lines": lambda: bool(order.items)},
            tenant=order.tenant,
            compare=lambda: self._old(order),
        )

    def _old(self, order: Order) -> dict[str, Any]:
        with self._connections() as connection:
            lines = [
                f"{round(connection.execute(_ONE_PRICE, (item,)).fetchone()[0] / 100 * 1.0825, 2):.2f}"
                for item in order.items
            ]
        return self._written(order, f"{sum(float(line) for line in lines):.2f}")

    def _new(self, order: Order, *, fails: bool) -> dict[str, Any]:
        if fails:
            raise NewCodeFailed
        with self._connections() as connection:
            prices = dict(connection.execute(_PRICES.format(", ".join("?" * len(order.items))), order.items))
        # Half a cent and more is rounded up, in whole numbers.
        cents = sum((prices[item] * _TAX[0] + _TAX[1] // 2) // _TAX[1] for item in order.items)
        written = self._written(order, f"{cents // 100}.{cents % 100:02}")
        self._charge(written["total"])
        self._send_mail(order.tenant)
        self._ui.show_toast("Order placed")
        return written

    def _written(self, order: Order, total: str) -> dict[str, Any]:
        with self._connections() as connection:
            connection.execute("INSERT OR REPLACE INTO orders VALUES (?, ?)", (order.tenant, total))
            connection.commit()
        return {"tenant": order.tenant, "lines": len(order.items), "total": total}

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def _charged(total: str) -> None:
    raise AssertionError(f"the demo charges nobody ({total})")


def _sent(tenant: str) -> None:
    raise AssertionError(f"the demo writes to nobody ({tenant})")
