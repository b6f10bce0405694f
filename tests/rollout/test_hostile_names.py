"""Names that would like to be something else to a program end up as one literal argument each, or are refused."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from flagconsole.domain.playbook import Step, StepKind
from flagconsole.domain.playbook_run import StepStatus
from flagconsole.domain.requests import FlagCreate
from flagconsole.rollout.response import Response
from flagconsole.rollout.steps.command import command
from flagconsole.rollout.steps.scene import Scene

HOSTILE = ["--kubeconfig=/tmp/mine", "-n", "$(touch here)", "`touch here`", "a.b\n--kubeconfig=x", "a.b; touch here", "a.b\0c", "{argv}", "*"]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Carry the step out for a flag that has somehow got this name; its arguments, as the program saw them."""
    program, log = tmp_path / "program", tmp_path / "log"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen({str(log)!r}, 'w').write(repr(sys.argv[1:]))\n")
    program.chmod(0o700)

    async def work(name: str, *templates: str) -> tuple[Any, list[str] | None]:
        step = Step(name="s", title="S", kind=StepKind.COMMAND, estimate_minutes=1, argv=("restart", *templates))
        run = SimpleNamespace(flag_name=name, incident_id="inc-1", playbook="immediate")
        response = Response(programs={"restart": str(program)})
        scene = Scene(None, run, step, None, None, response, None, None)  # type: ignore[arg-type]  # not looked at
        log.unlink(missing_ok=True)
        result = await command(scene)
        return result, eval(log.read_text()) if log.exists() else None  # what we wrote ourselves

    return work


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_one_literal_argument_or_refused(run, name: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError):
        FlagCreate(flag_name=name)
    result, seen = await run(name, "--selector=feature={flag}")
    if "\0" in name:
        assert (result.status, seen) == (StepStatus.FAILED, None)
    else:
        assert (result.status, seen) == (StepStatus.DONE, [f"--selector=feature={name}"])
    result, seen = await run(name, "get", "{flag}")
    if name.startswith("-") or "\0" in name:
        assert (result.status, seen) == (StepStatus.FAILED, None)
        assert result.output.startswith("refused: {flag} would become ")
    else:
        assert seen == ["get", name]
    assert not (tmp_path / "here").exists()
