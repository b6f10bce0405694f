"""The small language of filters: words that must all hold; ``!word`` must not; ``field:word`` asks one field."""

from __future__ import annotations

from collections.abc import Mapping

Words = tuple[str, ...]

#: What ``field:word`` asks: a text has to hold the word, of a tuple one item has to begin with it.
Fields = Mapping[str, str | tuple[str, ...]]


def words_of(text: str) -> Words:
    """The words of a filter."""
    return tuple(text.casefold().split())


def passes(words: Words, text: str, fields: Fields) -> bool:
    """Whether a row with this ``text`` and these ``fields`` (folded already) passes a filter."""
    return all(_holds(word, text, fields) for word in words)


def _holds(word: str, text: str, fields: Fields) -> bool:
    if word.startswith("!"):
        return len(word) == 1 or not _holds(word[1:], text, fields)
    field, colon, wanted = word.partition(":")
    if not colon or field not in fields:
        return word in text
    value = fields[field]
    return wanted in value if isinstance(value, str) else any(item.startswith(wanted) for item in value)
