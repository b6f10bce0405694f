"""What the tutorial has its readers type does what it shows."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WALK = runpy.run_path(str(ROOT / "scripts" / "walk-docs"))
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
#: What comes after it takes minutes: ``scripts/walk-docs`` and ``scripts/release`` go all the way.
FIRST_KILL = TUTORIAL.split("## The first canary")[0]


@pytest.mark.terminal
def test_the_first_kill_of_the_tutorial_goes_as_it_says():
    WALK["follow"](FIRST_KILL, Path(sys.executable).parent, quick=True)


@pytest.mark.terminal
def test_what_is_not_as_it_says_is_seen():
    text = FIRST_KILL[: FIRST_KILL.index("**A service that asks")].replace("revision 29", "revision 28")
    with pytest.raises(WALK["NotSeen"], match="revision 28"):
        WALK["follow"](text, Path(sys.executable).parent, quick=True)


def test_each_block_that_is_typed_is_followed():
    steps = list(WALK["steps"](TUTORIAL))
    assert [step.file for step in steps if step.file] == ["shop.py", "plan.yaml"]
    typed = [line for step in steps for line in step.lines if not step.file]
    assert sum("flagconsole" in line for line in typed) == TUTORIAL.count("\nflagconsole ") + 1
