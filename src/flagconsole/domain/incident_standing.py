"""How an incident stands, in the same words wherever it is told: whether somebody has to do something, and whether service is back."""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """``NEEDS_YOU``: nothing goes on before a person does or says something. ``RESTORED`` and ``NOT_RESTORED`` are of service;
    an incident that is restored stays open until somebody closes it."""

    CLOSED = "closed"
    NEEDS_YOU = "needs you"
    RESTORED = "restored"
    NOT_RESTORED = "not restored"


def standing_of(*, closed: bool, restored: bool, waits: bool, run: str | None) -> Standing:
    """How an incident stands. ``run`` is the status of its playbook's run, if any, and ``waits`` says that a step of it needs a
    person's word. A run that nobody took in time needs somebody only as long as service isn't back without it."""
    if closed:
        return Standing.CLOSED
    if waits or run == "stopped" or (run == "expired" and not restored):
        return Standing.NEEDS_YOU
    return Standing.RESTORED if restored else Standing.NOT_RESTORED


def step_waits(kind: str, status: str) -> bool:
    """Whether a step needs a person's word: one that only a person can do, or of which nobody knows whether it happened."""
    return status in {"uncertain", "failed"} or (kind == "manual" and status == "started")


def run_words(status: str, playbook: str) -> str:
    """What became of a playbook's run, as a part of a sentence."""
    return {
        "pending": f"{playbook} waits for a runner",
        "running": f"{playbook} runs",
        "done": f"{playbook} is done",
        "stopped": f"{playbook} has stopped",
        "superseded": f"{playbook} was superseded",
        "expired": f"{playbook} was not run",
    }.get(status, f"{playbook}: {status}")
