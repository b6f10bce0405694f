"""One line of typed text: the filter, the palette, a tenant, a reason, a name typed to confirm."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.console.safe import Line, Span, span
from flagconsole.domain.text import safe_text

MAX_TYPED = 200


class Entry(NamedTuple):
    """Typed text and where the cursor stands in it (in characters)."""

    text: str = ""
    cursor: int = 0

    @classmethod
    def of(cls, text: str) -> Entry:
        """An entry with the cursor behind ``text``."""
        return cls(text, len(text))

    def insert(self, typed: str) -> Entry:
        """The entry after ``typed`` went in at the cursor. Pasted control characters become visible text."""
        clean = safe_text(typed, MAX_TYPED)
        text = (self.text[: self.cursor] + clean + self.text[self.cursor :])[:MAX_TYPED]
        return Entry(text, min(self.cursor + len(clean), len(text)))

    def press(self, key: str, character: str | None) -> Entry | None:
        """The entry after a key, or None when the key doesn't edit text."""
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        match key:
            case "backspace":
                return Entry(before[:-1] + after, max(0, self.cursor - 1))
            case "delete":
                return Entry(before + after[1:], self.cursor)
            case "left":
                return self._replace(cursor=max(0, self.cursor - 1))
            case "right":
                return self._replace(cursor=min(len(self.text), self.cursor + 1))
            case "home" | "ctrl+a":
                return self._replace(cursor=0)
            case "end" | "ctrl+e":
                return self._replace(cursor=len(self.text))
            case "ctrl+u":
                return Entry(after, 0)
            case "ctrl+w":
                head = before.rstrip(" ")
                head = head[: head.rfind(" ") + 1]
                return Entry(head + after, len(head))
        if character is not None and len(character) == 1 and character.isprintable():
            return self.insert(character)
        return None

    def line(self, prompt: str, role: str = "field", hint: str = "") -> Line:
        """The entry as it is drawn: prompt, text with the cursor in it, and a hint while it is empty."""
        under = self.text[self.cursor : self.cursor + 1] or " "
        row = (
            span(prompt, "key"),
            span(self.text[: self.cursor], role),
            Span(span(under, role).text, "caret"),
            span(self.text[self.cursor + 1 :], role),
        )
        return row if self.text or not hint else (*row, span(f" {hint}", "faint"))
