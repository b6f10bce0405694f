"""What the demo says of itself."""

from __future__ import annotations

import sys
from io import StringIO

import pytest

from flagconsole.demo.talk import Talk


def test_each_line_says_when(capsys: pytest.CaptureFixture[str]) -> None:
    Talk()("starting the server")
    assert capsys.readouterr().err.endswith(" s  starting the server\n")


def test_nobody_there_to_hear_it_keeps_nothing_from_being_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    Talk()("ending the services and the server")
