"""What a benchmark prints: one table of all that was measured, one of what must be reached, and the same as one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.rounds import Measured

OURS = "flagconsole"


@dataclass(slots=True)
class Row:
    """One line: who did what, in which unit. ``better`` says whether a low or a high figure is the good one."""

    work: str
    who: str
    measured: Measured
    unit: str
    better: Literal["low", "high"] = "low"


@dataclass(slots=True)
class Goal:
    """What must be reached. ``why`` says, where it isn't, what stands in the way."""

    what: str
    found: float
    bound: float
    unit: str
    better: Literal["low", "high"] = "low"
    why: str = ""

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.found <= self.bound if self.better == "low" else self.found >= self.bound


@dataclass(slots=True)
class Table:
    """All that one benchmark found. ``correct`` says whether our answers were the specification's; None where nothing is asked."""

    name: str
    about: str
    rows: list[Row] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    correct: bool | None = None

    def add(self, work: str, who: str, measured: Measured, unit: str, better: Literal["low", "high"] = "low") -> None:
        """One more line."""
        self.rows.append(Row(work, who, measured, unit, better))

    def goal(
        self,
        what: str,
        found: float | None,
        bound: float,
        unit: str,
        better: Literal["low", "high"] = "low",
        why: str = "",
    ) -> None:
        """One more thing that must be reached; where what it is compared with wasn't measured, that is noted instead."""
        if found is None:
            self.notes.append(f"not judged, since it was not measured: {what}")
        else:
            self.goals.append(Goal(what, found, bound, unit, better, why))

    def found(self, work: str, who: str) -> float | None:
        """The median of one line; None where it wasn't measured."""
        return next((row.measured.median for row in self.rows if (row.work, row.who) == (work, who)), None)

    def times(self, work: str, who: str, ours: str = OURS) -> float | None:
        """How many times better ours is than ``who`` at ``work``; None where one of them wasn't measured."""
        mine = next((row for row in self.rows if (row.work, row.who) == (work, ours)), None)
        theirs = self.found(work, who)
        return None if mine is None or theirs is None else ratio(mine, theirs)

    def markdown(self) -> str:
        """Both tables and the notes."""
        lines = [
            self.about,
            "",
            "| work | who | median | spread | rounds | ours is better by |",
            "|---|---|--:|--:|--:|--:|",
        ]
        for row in self.rows:
            mine = next((one for one in self.rows if (one.work, one.who) == (row.work, OURS)), None)
            times = "" if mine is None or mine is row else f"{shown(ratio(mine, row.measured.median))} ×"
            spread = f"±{row.measured.spread * 50:.0f} %" if row.measured.rounds > 1 else "–"
            figure = f"{shown(row.measured.median)} {row.unit}"
            lines.append(f"| {row.work} | {row.who} | {figure} | {spread} | {row.measured.rounds} | {times} |")
        if self.goals:
            lines += ["", "| must be reached | found | |", "|---|--:|---|"]
        for goal in self.goals:
            sign = "≤" if goal.better == "low" else "≥"
            said = (
                "reached"
                if goal.reached
                else "**not reached**"
                + (f": {shown(_off(goal))} × off" if _off(goal) else "")
                + (f"; {goal.why}" if goal.why else "")
            )
            unit = f" {goal.unit}" if goal.unit else ""
            lines.append(f"| {goal.what} {sign} {shown(goal.bound)}{unit} | {shown(goal.found)}{unit} | {said} |")
        if self.correct is not None:
            lines += ["", f"Our answers are the specification's: {'yes' if self.correct else '**no**'}."]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        if self.versions:
            lines += [
                "",
                "Versions: " + ", ".join(f"{name} {version}" for name, version in self.versions.items()) + ".",
            ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON's types."""
        return {
            "benchmark": self.name,
            "about": self.about,
            "correct": self.correct,
            "rows": [
                {"work": r.work, "who": r.who, "median": r.measured.median, "unit": r.unit, "better": r.better}
                | {"spread": r.measured.spread, "rounds": r.measured.rounds}
                for r in self.rows
            ],
            "goals": [
                {"what": g.what, "found": g.found, "bound": g.bound, "unit": g.unit, "better": g.better}
                | {"reached": g.reached, "why": g.why}
                for g in self.goals
            ],
            "notes": self.notes,
            "versions": self.versions,
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Table:
        """What ``as_dict`` made."""
        table = cls(found["benchmark"], found.get("about", ""), correct=found["correct"])
        for row in found["rows"]:
            measured = Measured(row["median"], row["spread"], row["rounds"])
            table.add(row["work"], row["who"], measured, row["unit"], row["better"])
        for goal in found["goals"]:
            table.goal(goal["what"], goal["found"], goal["bound"], goal["unit"], goal["better"], goal["why"])
        table.notes += found["notes"]
        table.versions |= found["versions"]
        return table

    def json(self) -> str:
        """All of it as one JSON object."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def print(self, *, only_json: bool) -> int:
        """Print it; the exit code: 1 where our answers were wrong. A figure that isn't reached is no failure of the run."""
        if not only_json:
            print(self.markdown() + "\n")
        print(self.json())
        return 1 if self.correct is False else 0


def ratio(mine: Row, theirs: float) -> float:
    """How many times better mine is."""
    if mine.measured.median == 0 or theirs == 0:
        return 0.0
    return theirs / mine.measured.median if mine.better == "low" else mine.measured.median / theirs


def shown(figure: float) -> str:
    """A figure with three digits that mean something."""
    if figure == 0 or abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.{2 if abs(figure) >= 1 else 3}g}" if abs(figure) < 1 else f"{figure:.3g}"


def _off(goal: Goal) -> float:
    if goal.found * goal.bound <= 0:
        return 0.0
    return goal.found / goal.bound if goal.better == "low" else goal.bound / goal.found
