"""What may have been meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from flagconsole.domain.text import safe_text


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` most resembles; a part of a dotted name counts too (``write`` of ``pos.write``)."""
    names = list(known)
    matches = get_close_matches(word, names, n=1, cutoff=0.6)
    if matches:
        return matches[0]
    ending = [name for name in names if name.endswith(f".{word}") or name == word.replace("-", "_")]
    return ending[0] if len(ending) == 1 else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?``, or nothing."""
    match = closest(word, known)
    return f" Did you mean {safe_text(match, 140)!r}?" if match else ""
