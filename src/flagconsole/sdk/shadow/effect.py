"""An effect that a guard kept from happening."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.domain.execution_type import EffectKind


class Effect(NamedTuple):
    """What would have happened. ``what`` says it in a few words without a customer's data, such as ``POST
    https://api.example.com/charges``; ``times`` how many of them at once."""

    kind: EffectKind
    what: str
    times: int = 1
