"""Contexts: names for servers, where their keys come from, and errors that name what is wrong and never show a key."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flagconsole.cli import configuration
from flagconsole.cli.contexts import ConfiguredContexts, contexts_of
from flagconsole.cli.invocation import Invocation
from flagconsole.cli.key_source import KeySource
from flagconsole.cli.manners_file import manners_of
from flagconsole.cli.target import resolve
from flagconsole.domain.errors import InvalidInput, Unauthenticated

SECRET = "fc_admin_very-secret"


def path() -> Path:
    return configuration.configuration_path()


def write(text: str) -> None:
    path().parent.mkdir(parents=True, exist_ok=True)
    path().write_text(text)


def test_a_context_is_added_used_and_removed(fc: Any):
    added = fc("contexts", "add", "prod", "--url", "https://Flags.example.com/", "--environment", "production",
               "--colour", "red", "--readonly", "--key", "variable:PROD_KEY")  # fmt: skip
    assert added.out == "prod (https://flags.example.com) added\n"
    fc("contexts", "add", "mine", "--store", "sqlite:x.db")
    assert fc("contexts", "use", "prod").code == 0
    listed = fc("contexts", "list").out.splitlines()
    assert listed[0].startswith("  mine")
    assert listed[1].startswith("* prod")
    assert "read-only" in listed[1]
    assert "key from the variable PROD_KEY" in listed[1]
    shown = fc("contexts", "list", "--json").json
    assert [(item["name"], item["key"]) for item in shown["contexts"]] == [("mine", None), ("prod", "variable")]
    target = resolve(Invocation(), {})
    assert target.context is not None
    assert (target.url, target.context.readonly) == ("https://flags.example.com", True)
    assert fc("contexts", "remove", "prod").code == 0
    assert resolve(Invocation(), {}).context is None


def test_the_file_keeps_what_people_wrote(fc: Any):
    write('# mine\n[contexts.a] # first\nurl = "https://a"\n')
    fc("contexts", "add", "b", "--url", "https://b")
    text = path().read_text()
    assert "# mine" in text
    assert "# first" in text
    assert path().stat().st_mode & 0o777 == 0o600


def test_what_is_asked_for_counts_before_what_is_chosen(fc: Any, monkeypatch: pytest.MonkeyPatch):
    write('context = "a"\nurl = "https://plain"\n[contexts.a]\nurl = "https://a"\n[contexts.b]\nurl = "https://b"\n')
    assert resolve(Invocation(), {}).url == "https://a"
    assert resolve(Invocation(context="b"), {"FLAGCONSOLE_URL": "https://env"}).url == "https://b"
    assert resolve(Invocation(), {"FLAGCONSOLE_CONTEXT": "b"}).url == "https://b"
    assert resolve(Invocation(), {"FLAGCONSOLE_URL": "https://env"}).url == "https://env"
    assert resolve(Invocation(url="https://asked"), {}).url == "https://asked"
    assert fc("list", "--context", "a", "--url", "https://x").code == 2


def test_the_key_of_a_context_goes_to_its_server_alone(fc: Any, monkeypatch: pytest.MonkeyPatch):
    write('[contexts.a]\nurl = "https://a"\nkey = { variable = "A_KEY" }\n[contexts.b]\nurl = "https://b"\n')
    monkeypatch.setenv("A_KEY", SECRET)
    assert resolve(Invocation(context="a"), {"FLAGCONSOLE_API_KEY": "fc_other"}).api_key() == SECRET
    assert resolve(Invocation(context="a", api_key="fc_asked"), {}).api_key() == "fc_asked"
    with pytest.raises(Unauthenticated, match="context b names no key"):
        resolve(Invocation(context="b"), {}).api_key()


def test_keys_come_from_a_command_or_a_private_file(tmp_path: Path):
    script = tmp_path / "give"
    script.write_text(f"#!/bin/sh\necho {SECRET}\necho second line\n")
    script.chmod(0o755)
    assert KeySource("command", (str(script),)).fetch("c", "https://a") == SECRET
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    assert KeySource("file", (str(file),)).fetch("c", "https://a") == SECRET


def failing(tmp_path: Path) -> list[tuple[KeySource, str]]:
    bad, wide = tmp_path / "bad", tmp_path / "wide"
    bad.write_text(f"#!/bin/sh\necho {SECRET} >&2\nexit 3\n")
    bad.chmod(0o755)
    wide.write_text(SECRET)
    wide.chmod(0o644)
    return [
        (KeySource("variable", ("NOT_SET_AT_ALL",)), "NOT_SET_AT_ALL isn't set"),
        (KeySource("command", (str(bad),)), "it ended with 3"),
        (KeySource("command", ("/nowhere/at/all",)), "it can't be run"),
        (KeySource("command", ("true",)), "it said nothing"),
        (KeySource("file", (str(wide),)), "chmod 600"),
        (KeySource("file", (str(tmp_path),)), "not a plain file"),
        (KeySource("file", (str(tmp_path / "none"),)), "can't be read"),
        (KeySource("command", ("echo", "two words")), "isn't a key"),
    ]


def test_a_key_that_cannot_be_had_says_why_and_shows_nothing(tmp_path: Path):
    for source, why in failing(tmp_path):
        with pytest.raises(Unauthenticated) as caught:
            source.fetch("prod", "https://a")
        assert why in str(caught.value)
        assert "prod" in str(caught.value)
        assert SECRET not in str(caught.value)


WRONG = [
    ('url = "https://a"\nurll = "x"', "contexts.a.urll", "is not a key of a context"),
    ("", "contexts.a", "needs a url or a store"),
    ('url = "https://a"\nstore = "sqlite:x"', "contexts.a", "one of them"),
    ('url = "flags"', "contexts.a.url", "must be like https://"),
    ('url = "https://a"\ncolour = "blue"', "contexts.a.colour", "red, amber, grey"),
    ('url = "https://a"\nreadonly = "yes"', "contexts.a.readonly", "true or false"),
    ('url = "https://a"\ntenant = 3', "contexts.a.tenant", "must be a string"),
    (f'url = "https://a"\nkey = "{SECRET}"', "contexts.a.key", "must be one of"),
    (f'url = "https://a"\nkey = {{ value = "{SECRET}" }}', "contexts.a.key.value", "must be one of"),
    ('url = "https://a"\nkey = { command = "pass show x" }', "contexts.a.key.command", "must be one of"),
    ('url = "https://a"\nkey = { variable = "A-B" }', "contexts.a.key.variable", "must be one of"),
    ('store = "sqlite:x"\nkey = { keyring = true }', "contexts.a.key", "needs no key"),
]


@pytest.mark.parametrize(("table", "field", "problem"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_named(fc: Any, table: str, field: str, problem: str):
    write(f"[contexts.a]\n{table}\n")
    with pytest.raises(InvalidInput) as caught:
        contexts_of(configuration.load(path()))
    assert f"{field}: " in str(caught.value)
    assert problem in str(caught.value)
    assert SECRET not in str(caught.value)
    assert fc("contexts", "list").code == 2


def test_an_unknown_context_names_the_one_that_was_meant(fc: Any):
    write('[contexts.staging]\nurl = "https://a"\n')
    shown = fc("list", "--context", "stagign")
    assert shown.code == 2
    assert "There are staging. Did you mean 'staging'?" in shown.err


def test_a_name_that_could_be_an_option_is_refused(fc: Any):
    assert fc("contexts", "add", "a b", "--url", "https://a").code == 2
    assert fc("contexts", "add", "x", "--url", "https://a", "--api-key", SECRET).code == 2
    assert not path().exists()


def test_a_dry_run_writes_nothing(fc: Any):
    assert fc("contexts", "add", "a", "--url", "https://a", "--dry-run").code == 0
    assert not path().exists()


def test_the_key_reference_is_a_word_that_a_shell_resolves(tmp_path: Path):
    file = tmp_path / "it's a key"
    file.write_text(SECRET)
    for source, variables in (
        (KeySource("file", (str(file),)), {}),
        (KeySource("variable", ("A_KEY",)), {"A_KEY": SECRET}),
        (KeySource("command", ("echo", SECRET)), {}),
    ):
        run = subprocess.run(
            ["sh", "-c", f"printf %s {source.reference('https://a')}"],
            capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", **variables},
        )  # fmt: skip
        assert run.stdout == SECRET


def test_the_console_enters_a_context_and_keeps_its_settings(fc: Any, monkeypatch: pytest.MonkeyPatch):
    write('[contexts.a]\nurl = "https://a"\nenvironment = "staging"\nkey = { variable = "A_KEY" }\n')
    monkeypatch.setenv("A_KEY", SECRET)
    with ExitStack() as stack:
        contexts = ConfiguredContexts(stack, readonly=True)
        assert [item.name for item in contexts.sketches()] == ["a"]
        place = contexts.enter("a")
        assert (place.url, place.api_key, place.environment, place.readonly) == ("https://a", SECRET, "staging", True)
        assert place.key_reference == '"$A_KEY"'
        contexts.keep("theme", "day")
        contexts.keep("bell", False)
    manners = manners_of(configuration.load(path()), path())
    assert (manners.theme, manners.bell) == ("day", False)
    assert "[contexts.a]" in path().read_text()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[console]\nmouse = 1", "console.mouse"),
        ("[console]\nthem = 'day'", "console.them"),
        ("[console]\ntheme = 3", "console.theme"),
        ("[keys]\nkill = 3", "keys.kill"),
        ("[keys]\nkill = []", "keys.kill"),
        ("console = 3", "console"),
    ],
)
def test_wrong_manners_are_named(fc: Any, text: str, field: str):
    write(text + "\n")
    with pytest.raises(InvalidInput, match=f"{field}:"):
        manners_of(configuration.load(path()), path())
