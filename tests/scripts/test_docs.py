"""The reference pages are what the code says."""

from __future__ import annotations

import inspect
import re
import runpy
import sys
from pathlib import Path

import pytest

from flagconsole.client import frames

ROOT = Path(__file__).resolve().parents[2]
DOCS = runpy.run_path(str(ROOT / "scripts" / "docs"))


@pytest.mark.parametrize("name", DOCS["PAGES"])
def test_a_page_is_what_the_code_says(name):
    assert DOCS["PAGES"][name]() == (DOCS["FOLDER"] / f"{name}.md").read_text(), "make it anew: scripts/docs"


def test_every_page_of_the_folder_is_made():
    assert {file.stem for file in DOCS["FOLDER"].glob("*.md")} == set(DOCS["PAGES"])


def test_every_event_that_clients_know_is_told():
    told = {event for event, *_ in sys.modules["reference.events"].EVENTS}
    assert told == set(re.findall(r'case "(\w+)"', inspect.getsource(frames.frame_of)))
