"""What is chosen on a sheet besides the reason: fields, each with a few values that ← and → go through."""

from __future__ import annotations

from typing import Final, NamedTuple

from flagconsole.console.line import Line, line, line_width
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

    def line(self, width: int, *, here: bool) -> Line:
        """The field as it is drawn: the chosen value in brackets, so that it shows without colour. The keys that change it stand
        behind it where there is room: the footer has them too."""
        many = len(self.values) > 1
        parts = [span("▶" if here else " ", "key"), span(f"{self.label:<8}", "header")]
        if sum(len(words) + 2 for _, words in self.values) > LONG:
            parts.append(span(f"[{self.values[self.chosen][1]}]", "strong"))
            parts.append(span(f"  {self.chosen + 1}/{len(self.values)}" if many else "", "muted"))
        else:
            for place, (_, words) in enumerate(self.values):
                chosen = place == self.chosen
                parts.append(span(f"[{words}]" if chosen else f" {words} ", "strong" if chosen else "muted"))
        with_keys = line(*parts, span("  ← →" if here and many else "", "key"))
        return with_keys if line_width(with_keys) <= width else tuple(parts)
