"""Reads OpenFeature's scenarios: features with a background, scenarios, outlines with tables of examples, tables under steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One step without its keyword, and the table below it."""

    text: str
    table: tuple[dict[str, str], ...] = ()


class Scenario(NamedTuple):
    """One scenario, or one row of an outline's examples."""

    name: str
    steps: tuple[Step, ...]


_STEP = re.compile(r"(?:Given|When|Then|And|But) (.*)")


def read(path: Path) -> list[Scenario]:
    """The feature's scenarios, each with the steps of the background."""
    background: list[Step] = []
    found: list[Scenario] = []
    for title, steps, examples in _blocks(path.read_text()):
        if title is None:
            background = steps
            continue
        for row in examples or [{}]:
            filled = [Step(_filled(step.text, row), step.table) for step in (*background, *steps)]
            found.append(Scenario(f"{title} {'-'.join(row.values())}".strip(), tuple(filled)))
    return found


def _blocks(text: str) -> Iterator[tuple[str | None, list[Step], list[dict[str, str]]]]:
    """Each background (without a title) and scenario."""
    title: str | None = ""
    steps: list[Step] = []
    examples: list[dict[str, str]] = []
    header: list[str] = []
    in_examples = False
    for line in (raw.strip() for raw in [*text.splitlines(), "Scenario: the end"]):
        if match := re.match(r"(Background|Scenario(?: Outline)?):(.*)", line):
            if steps:
                yield title, steps, examples
            title = None if match[1] == "Background" else match[2].strip()
            steps, examples, in_examples = [], [], False
        elif line.startswith("Examples:"):
            in_examples, header = True, []
        elif line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not header:
                header = cells
            elif in_examples:
                examples.append(dict(zip(header, cells, strict=True)))
            else:
                steps[-1] = Step(steps[-1].text, (*steps[-1].table, dict(zip(header, cells, strict=True))))
        elif match := _STEP.match(line):
            steps.append(Step(match[1]))
            header = []


def _filled(text: str, row: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda match: row.get(match[1], match[0]), text).replace('\\"', '"')
