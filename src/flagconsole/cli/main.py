"""The entry point: the table of commands, and the one place that turns errors into a line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from flagconsole.cli.invocation import Invocation, connection_options, json_option
from flagconsole.cli.lazy import Entry, LazyGroup
from flagconsole.domain.errors import ExitCode, FlagConsoleError, OutcomeUnknown, Unauthenticated
from flagconsole.domain.text import safe_text

_LOOK, _ACT, _FILES, _RUN, _SETUP = "Look", "Change", "Files", "Run", "Set up"

COMMANDS: dict[str, Entry] = {
    "console": Entry(_LOOK, "console:console", "Open the console (the default)."),
    "list": Entry(_LOOK, "reading:list_flags", "List the flags."),
    "get": Entry(_LOOK, "reading:get", "Show one flag."),
    "status": Entry(_LOOK, "status:status", "Show the system on one screen."),
    "history": Entry(_LOOK, "history:history", "Show who changed what, when and why."),
    "metrics": Entry(_LOOK, "metrics:metrics", "Show what was measured of a flag, canary against control."),
    "shadow-report": Entry(_LOOK, "shadow_report:shadow_report", "Show what shadow executions say of a flag."),
    "incidents": Entry(_LOOK, "incidents:incidents", "Follow, write up, close and export incidents."),
    "canary-status": Entry(_LOOK, "rollout:canary_status", "Show the rollouts that are under way."),
    "monitor": Entry(_LOOK, "monitor:monitor", "Follow a rollout live; on request, roll it back if it fails."),
    "replay": Entry(_LOOK, "replay:replay", "Judge a rollout's past by another plan."),
    "kill": Entry(_ACT, "kill:kill", "Turn a flag off for everyone, at once, and wait for the proof."),
    "revive": Entry(_ACT, "revive:revive", "Clear a kill."),
    "rollback": Entry(_ACT, "rollback:rollback", "Undo a flag's newest change, or return to an earlier one."),
    "set": Entry(_ACT, "setting:set_flag", "Set a flag's state, percentage or cohort."),
    "override": Entry(_ACT, "override:override", "Give one tenant its own state, or take it away."),
    "schedule": Entry(_ACT, "schedule:schedule", "Change a flag at a time, or after a phase of a rollout."),
    "start": Entry(_ACT, "rollout:start", "Begin a rollout by a plan."),
    "promote": Entry(_ACT, "rollout:promote", "Take a rollout to its next phase."),
    "hold": Entry(_ACT, "rollout:hold", "Keep a rollout from promoting."),
    "resume": Entry(_ACT, "rollout:resume", "Let a rollout go on."),
    "abort": Entry(_ACT, "rollout:abort", "End a rollout and leave the flag as it is."),
    "cohort": Entry(_ACT, "cohort:cohort", "Show the drawn cohort of a flag, or draw one."),
    "bulk-set": Entry(_ACT, "bulk:bulk_set", "Set many flags from a file, all or none."),
    "bulk-rollback": Entry(_ACT, "bulk:bulk_rollback", "Roll back a whole domain, or several changes, as one set."),
    "bulk-verify": Entry(_LOOK, "bulk_verify:bulk_verify", "Check that a domain is everywhere what the store says."),
    "create": Entry(_ACT, "lifecycle:create", "Create a flag."),
    "archive": Entry(_ACT, "lifecycle:archive", "Retire a flag and its name."),
    "demo": Entry(_RUN, "demo:demo", "Try everything out on a simulated fleet."),
    "serve": Entry(_RUN, "serve:serve", "Serve a store over HTTP."),
    "init": Entry(_SETUP, "init:init", "Load a catalogue of flags into an empty store."),
    "migrate": Entry(_SETUP, "migrate:migrate", "Move a store to another database, or to a file."),
    "export": Entry(_FILES, "environment:export", "Write the environment as YAML."),
    "plan": Entry(_FILES, "plan:plan", "Show what applying a file would change; check rollout plans."),
    "apply": Entry(_FILES, "environment:apply", "Do what a plan shows, all of it or nothing."),
    "import": Entry(_FILES, "foreign:import_flags", "Take over flags from Unleash or flagd."),
    "schema": Entry(_FILES, "schema:schema", "Print the JSON Schema of a kind of file."),
    "config": Entry(_SETUP, "config:config", "Choose the server, the key and the tenant."),
    "contexts": Entry(_SETUP, "contexts:contexts", "Give servers names, and choose among them."),
    "completion": Entry(_SETUP, "completion:completion", "Print completion for bash, zsh or fish."),
    "tenants": Entry(_SETUP, "tenants:tenants", "Import, export and list the tenants."),
    "environments": Entry(_SETUP, "environments:environments", "Keep production, staging and others in one store."),
    "keys": Entry(_SETUP, "keys:keys", "Make, list, rotate and revoke API keys."),
    "approvals": Entry(_SETUP, "approvals:approvals", "Allow what somebody else asked for that raises exposure."),
    "break-glass": Entry(
        _SETUP, "break_glass:break_glass", "Take admin's rights for a time, and review what was done."
    ),
    "notify": Entry(_SETUP, "notify:notify", "See who is told of changes, test it, and send again."),
    "audit": Entry(_SETUP, "audit:audit", "Check that nobody has edited the log."),
}

#: What a shell shows for a program that ended by SIGINT, and what click ends with when nobody reads the pipe.
#: As of every program that these signals end: 128 and the number of SIGINT and SIGPIPE.
_INTERRUPTED, _BROKEN_PIPE = 130, 141


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 usage, 3 not found, 4 refused, 5 conflict, 6 unreachable, 7 not allowed, "
    "8 kill not confirmed everywhere, 12 kill told to clients that can't confirm, 1 internal error; "
    "monitor: 9 failed, 10 inconclusive, 11 no data; apply: 13 the plan moved, plan: 14 it differs.",
)
@click.version_option(package_name="flagconsole")
@connection_options
@json_option
@click.pass_context
def cli(ctx: click.Context) -> None:
    """See, stop and roll out features.

    Without a command it opens the console. Without a configured server, commands work on the embedded store in your data
    folder.
    """
    if ctx.invoked_subcommand is None:
        from flagconsole.cli.commands.console import console

        ctx.invoke(console)


def run(arguments: Sequence[str] | None = None, program: str | None = None) -> int:
    """Run one command and return its exit code. Prints an error on one line, and on others what else is wrong and what helps against it."""
    asked = Invocation()
    try:
        result = cli.main(arguments, program, standalone_mode=False, obj=asked)
        sys.stdout.flush()
    except click.ClickException as error:
        _complain(error)
        return error.exit_code
    except FlagConsoleError as error:
        _say(f"error: {safe_text(error, 1000)}")
        for other in error.details.get("also", ()):
            _say(f"also:  {safe_text(other, 1000)}")
        if isinstance(error, Unauthenticated):
            from flagconsole.cli.key_hint import key_hint

            _say(safe_text(key_hint(asked), 1000))
        if isinstance(error, OutcomeUnknown) and "idempotency_key" in error.details:
            _say(
                f"to learn it, run the same again with: --idempotency-key {safe_text(error.details['idempotency_key'])}"
            )
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; Python must not complain about it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _BROKEN_PIPE
    except Exception as error:
        if os.environ.get("FLAGCONSOLE_DEBUG"):
            raise
        _say(f"internal error: {type(error).__name__} (set FLAGCONSOLE_DEBUG=1 to see where)")
        return ExitCode.INTERNAL
    return result if isinstance(result, int) else ExitCode.OK


def main() -> NoReturn:
    """``flagconsole`` and ``thorbis-flags``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that can't show a letter gets its number instead of a traceback.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())


def _complain(error: click.ClickException) -> None:
    if isinstance(error, NoArgsIsHelpError):
        _say(error.format_message())
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _say(error.ctx.get_usage())
    _say(f"error: {safe_text(error.format_message(), 1000)}")


def _say(line: str) -> None:
    if not sys.stderr.isatty():
        click.echo(line, err=True)
        return
    from flagconsole.cli.output import talk

    talk(line)


if __name__ == "__main__":
    main()
