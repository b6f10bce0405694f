"""``command``: run an allowed program, never through a shell."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final

from flagconsole.domain.playbook_run import StepStatus
from flagconsole.domain.text import safe_text
from flagconsole.rollout.steps.scene import Result, Scene

#: How much of a program's output is kept, bytes from its end.
OUTPUT_KEPT: Final = 2000
#: All that a program sees of our environment; keys and tokens of the server are none of its business.
_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "KUBECONFIG", "TZ")


def command_off(scene: Scene) -> str | None:
    """Why the step is switched off: nobody has configured its program."""
    name = scene.step.argv[0]
    return None if name in scene.response.programs else f"switched off: the program {name} is not configured"


async def command(scene: Scene) -> Result:
    """Run it to its end. Exit code 0 is done, another one failed; where it had to be stopped, nobody knows."""
    program = scene.response.programs[scene.step.argv[0]]
    templates = scene.step.argv[1:]
    arguments = [scene.filled(template) for template in templates]
    for template, argument in zip(templates, arguments, strict=True):
        # No name can be one today; what is filled in must never begin to mean something else to the program.
        if "\0" in argument or (argument.startswith("-") and not template.startswith("-")):
            return Result(StepStatus.FAILED, f"refused: {template} would become {safe_text(argument, 100)}")
    environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return Result(StepStatus.FAILED, f"it could not be started: {safe_text(error.strerror or error, 200)}")
    try:
        async with asyncio.timeout(scene.step.timeout_seconds):
            output = await _end_of(process)
            code = await process.wait()
    except TimeoutError:
        return Result(StepStatus.UNCERTAIN, f"stopped after {scene.step.timeout_seconds:g} s without an end")
    finally:
        await _stop(process)
    said = f": {safe_text(output.decode('utf-8', 'replace').strip())}" if output.strip() else ""
    if code != 0:
        return Result(StepStatus.FAILED, f"exit code {code}{said}")
    return Result(StepStatus.DONE, f"exit code 0{said}")


async def _end_of(process: asyncio.subprocess.Process) -> bytes:
    """The end of what the program prints; reading all of it keeps it from waiting for us."""
    assert process.stdout is not None, "its output is a pipe"
    kept = b""
    while part := await process.stdout.read(65_536):
        kept = (kept + part)[-OUTPUT_KEPT:]
    return kept


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the program with everything that it started. Its session is its own, so nobody else is hit."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
