"""The documentation names what there is, and the README's commands are what CI runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from flagconsole.cli.main import COMMANDS, cli
from flagconsole.domain.errors import ExitCode

ROOT = Path(__file__).parent.parent
CLI_DOC = (ROOT / "docs" / "cli.md").read_text()
README = (ROOT / "README.md").read_text()


def commands() -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    ctx = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {child}": sub for child, sub in command.commands.items()}
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_documented(name: str):
    assert f"`{name}" in CLI_DOC
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert any(re.search(rf"[` ]{option}[` ]", CLI_DOC) for option in parameter.opts), parameter.opts


def test_every_exit_code_is_documented():
    for name, code in vars(ExitCode).items():
        if name.isupper():
            assert re.search(rf"^\| {code} \|", CLI_DOC, re.MULTILINE), name


def test_links_between_documents_lead_somewhere():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in link and not link.endswith(".svg"):
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def headings(page: Path) -> set[str]:
    """What links into a page may lead to, as GitHub names it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.append(re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-"))
    return set(found)


def test_links_into_documents_lead_to_a_heading():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link, heading in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", document.read_text()):
            page = document.parent / link if link else document
            if "://" not in link and page.suffix == ".md":
                assert heading in headings(page), f"{document.name}: {link}#{heading}"


def test_every_decision_has_alternatives():
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert len(decisions) >= 9
    for number, decision in enumerate(decisions, 1):
        text = decision.read_text()
        assert text.startswith(f"# {number}. ")
        assert all(f"## {heading}\n" in text for heading in ("Context", "Decision", "Consequences", "Alternatives"))


def test_the_readme_has_one_line_to_run_and_one_to_test_for_both_tools():
    lines = [line for line in README.splitlines() if " && " in line]
    assert [line.rsplit("/", 1)[-1].split()[0] for line in lines] == ["flagconsole", "pytest"] * 2
    assert all("-c constraints.txt" in line for line in lines)
    script = (ROOT / "scripts" / "check").read_text()
    extract = script[script.index("readme_test_command()") : script.index("lint()")]
    shown = subprocess.run(
        ["bash", "-c", f"{extract}\nreadme_test_command"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines() == [lines[1]]


def test_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(set(names))
