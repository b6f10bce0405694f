"""The entry point: suggestions, exit codes, errors in one line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest

from flagconsole.cli.main import COMMANDS, cli
from flagconsole.domain import errors


def test_help_lists_every_command_and_every_exit_code(fc: Any):
    shown = fc("--help")
    assert shown.code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in shown.out
        assert entry.summary.split()[0] in shown.out
    codes = {value for name, value in vars(errors.ExitCode).items() if name.isupper()}
    flattened = " ".join(shown.out.split())
    assert all(f" {code} " in flattened for code in codes)


def test_a_commands_own_options_come_first_and_those_of_all_commands_are_one_row(fc: Any):
    shown = " ".join(fc("list", "--help").out.split())
    assert "--domain D Only flags of this domain" in shown
    assert (
        "Everywhere --context, --url, --store, --environment, --api-key, --tenant, --json: see flagconsole --help."
        in shown
    )
    assert "Work on this server." not in shown
    assert "--url URL Work on this server." in " ".join(fc("--help").out.split())
    kill = " ".join(fc("kill", "--help").out.split())
    assert "--dry-run Show what would happen" in kill, "what the program itself doesn't take is explained here"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_loads_and_has_help(fc: Any, name: str):
    shown = fc(name, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: flagconsole {name}")


def test_the_runbooks_name_is_the_same_program():
    (alias,) = entry_points(group="console_scripts", name="thorbis-flags")
    (own,) = entry_points(group="console_scripts", name="flagconsole")
    assert alias.value == own.value == "flagconsole.cli.main:main"


@pytest.mark.parametrize(
    ("arguments", "suggested"),
    [
        (["kil", "x"], "Did you mean 'kill'?"),
        (["audit", "verif"], "Did you mean 'verify'?"),
        (["config", "set-tennant", "x"], "Did you mean 'set-tenant'?"),
        (["set", "pos.lite", "cannary", "x"], "Did you mean 'canary'?"),
        (["list", "--stat", "on"], "--state"),
    ],
)
def test_a_misspelt_word_is_a_usage_error_with_a_suggestion(flags: Any, arguments: list[str], suggested: str):
    shown = flags(*arguments)
    assert shown.code == 2
    assert suggested in shown.err
    assert shown.out == ""


def test_a_misspelt_flag_is_not_found_with_a_suggestion(flags: Any):
    for arguments in (("get", "pos.light"), ("kill", "pos.light", "x"), ("set", "pos.light", "on", "x")):
        shown = flags(*arguments)
        assert shown.code == 3
        assert "There is no flag 'pos.light'. Did you mean 'pos.lite'?" in shown.err


def test_an_empty_store_says_how_to_fill_it(fc: Any):
    assert "flagconsole init" in fc("get", "pos.lite").err
    assert "flagconsole init" in fc("list").err


def test_an_internal_error_is_one_redacted_line(flags: Any, monkeypatch: pytest.MonkeyPatch):
    async def broken(self: object, tenant_id: str | None = None) -> None:
        raise RuntimeError("fc_admin_SECRET")

    monkeypatch.setattr("flagconsole.cli.embedded.Embedded.flags", broken)
    shown = flags("list", "--json")
    assert shown.code == 1
    assert shown.err == "internal error: RuntimeError (set FLAGCONSOLE_DEBUG=1 to see where)\n"
    monkeypatch.setenv("FLAGCONSOLE_DEBUG", "1")
    with pytest.raises(RuntimeError):
        flags("list", "--json")


def test_an_unknown_outcome_says_how_to_learn_it(flags: Any, monkeypatch: pytest.MonkeyPatch):
    async def lost(self: object, *_: object, **__: object) -> None:
        raise errors.OutcomeUnknown(problem="the answer was lost", idempotency_key="k-1")

    monkeypatch.setattr("flagconsole.cli.embedded.Embedded.kill", lost)
    shown = flags("kill", "pos.lite", "x")
    assert shown.code == 6
    assert "whether it was made is not known" in shown.err
    assert shown.err.endswith("--idempotency-key k-1\n")


def test_an_interrupt_ends_with_130(flags: Any, monkeypatch: pytest.MonkeyPatch):
    async def interrupted(self: object, tenant_id: str | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flagconsole.cli.embedded.Embedded.flags", interrupted)
    shown = flags("list", "--json")
    assert (shown.code, shown.err.strip()) == (130, "interrupted")


def test_a_store_that_cannot_be_opened_is_unreachable(fc: Any, home: Path):
    shown = fc("list", "--store", f"sqlite:{home}")
    assert shown.code == 6
    assert "can't be used" in shown.err


def test_without_a_terminal_the_status_is_printed_instead_of_the_console(flags: Any):
    for arguments in ((), ("console",)):
        shown = flags(*arguments)
        assert shown.code == 0
        assert "27 off" in shown.out


def test_options_stand_before_or_behind_the_command(flags: Any, tmp_path: Path):
    other = f"sqlite:{tmp_path / 'other.db'}"
    assert (
        flags("tenants", "import", "-", "--format", "csv", "--store", other, stdin="tenant_id,name\nt1,Joe\n").code == 0
    )
    assert flags("--store", other, "list").err.startswith("the store has no flags")
    assert flags("list", "--store", other).err.startswith("the store has no flags")


def test_a_store_that_is_not_there_is_not_made_by_looking_at_it(flags: Any, tmp_path: Path):
    typo = f"sqlite:{tmp_path / 'typo' / 'x.db'}"
    for command in (("list",), ("status",), ("kill", "pos.lite", "x"), ("create", "a.b", "for a test", "--dry-run")):
        missing = flags(*command, "--store", typo)
        assert (missing.code, "There is no store at" in missing.err) == (3, True)
        assert "flagconsole init" in missing.err
    assert not (tmp_path / "typo").exists()
    assert flags("init", "--store", typo).code == 0
    assert flags("list", "--store", typo).code == 0


def test_every_command_that_prints_takes_json_and_every_one_that_changes_takes_dry_run():
    silent = {"console", "serve", "demo", "completion"}
    changing = {"kill", "revive", "rollback", "set", "override", "create", "archive", "init"}
    with cli.make_context("flagconsole", ["list"], resilient_parsing=True) as ctx:
        for name in COMMANDS:
            command = cli.get_command(ctx, name)
            subcommands = getattr(command, "commands", {name: command})
            for subcommand in subcommands.values():
                options = {option for parameter in subcommand.params for option in parameter.opts}
                assert name in silent - {"demo"} or "--json" in options, name
                assert name not in changing or "--dry-run" in options, name


def _pipe(arguments: list[str], home: Path, encoding: str = "utf-8") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.Popen(
        [sys.executable, "-m", "flagconsole", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=home,
    )


def test_a_pipe_that_nobody_reads_makes_no_noise(store_path: Path, home: Path):
    process = _pipe(["history", "--limit", "500", "--json"], home)
    assert process.stdout is not None
    process.stdout.close()
    _, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (1, b"")


def test_a_terminal_without_our_signs_gets_their_numbers(store_path: Path, home: Path):
    out, complaint = _pipe(["list", "--domain", "pos"], home, "latin-1").communicate(timeout=20)
    assert complaint == b""
    assert b"\\u25cb off" in out


@pytest.mark.parametrize("name", ["kill", "revive", "rollback", "set", "override", "start", "promote", "monitor"])
def test_the_commands_of_the_first_hours_show_an_example_that_can_be_typed(name: str):
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    program, typed, *arguments = shlex.split((command.epilog or "").removeprefix("Example: "))
    assert (program, typed) == ("flagconsole", name)
    command.make_context(name, arguments, parent=context)  # raises for what can't be read
