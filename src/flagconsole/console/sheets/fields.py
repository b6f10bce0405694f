"""What is chosen on a sheet besides the reason: fields, each with a few values that ← and → go through."""

from __future__ import annotations

from typing import Final, NamedTuple

from flagconsole.console.line import Line, line
from flagconsole.console.safe import span

#: Values that take more cells than this are shown one at a time.
LONG: Final = 62


class Field(NamedTuple):
    """A label and its values, each with the words that stand for it."""

    label: str
    values: tuple[tuple[str, str], ...]
    chosen: int = 0

    @property
    def value(self) -> str:
        """The chosen value."""
        return self.values[self.chosen][0] if self.values else ""

    def moved(self, steps: int) -> Field:
        """The field with the next value, or the one before; it stops at the ends."""
        return self._replace(chosen=max(0, min(len(self.values) - 1, self.chosen + steps)))

    def at(self, value: str) -> Field:
        """The field with that value chosen; as it is where it has no such value."""
        places = [place for place, (known, _) in enumerate(self.values) if known == value]
        return self._replace(chosen=places[0]) if places else self

    def line(self, *, here: bool) -> Line:
        """The field as it is drawn: the chosen value in brackets, so that it shows without colour."""
        if sum(len(words) + 2 for _, words in self.values) > LONG:
            words = self.values[self.chosen][1]
            many = f"  {self.chosen + 1}/{len(self.values)}" if len(self.values) > 1 else ""
            return line(
                span("▶" if here else " ", "key"),
                span(f"{self.label:<8}", "header"),
                span(f"[{words}]", "strong"),
                span(many, "muted"),
                span("  ← →" if here and len(self.values) > 1 else "", "key"),
            )
        parts = [span("▶" if here else " ", "key"), span(f"{self.label:<8}", "header")]
        for place, (_, words) in enumerate(self.values):
            parts.append(
                span(
                    f"[{words}]" if place == self.chosen else f" {words} ",
                    "strong" if place == self.chosen else "muted",
                )
            )
        return line(*parts, span("  ← →" if here and len(self.values) > 1 else "", "key"))
