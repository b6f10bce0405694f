"""Which pages are typed, and what of them can't be: each with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flagconsole.cli.configuration import load
from flagconsole.cli.manners_file import manners_of
from flagconsole.console.keymap import KeyMap
from flagconsole.rollout.playbook_file import read_playbook
from flagconsole.rollout.response import read_response

from .console_blocks import Block, blocks

ROOT: Final = Path(__file__).parent.parent.parent
DOCS: Final = ROOT / "docs"
#: Made from the code, and compared with it by ``tests/scripts/test_docs.py``.
MADE: Final = frozenset((DOCS / "reference").glob("*.md"))
#: Followed in real terminals by ``scripts/walk-docs``, and in part by ``tests/scripts/test_walk.py``.
WALKED: Final = frozenset({DOCS / "tutorial.md", DOCS / "operations.md"})
WRITTEN: Final = frozenset({*DOCS.rglob("*.md"), *ROOT.glob("*.md")}) - MADE
#: Languages that other tests run: ``test_python_blocks.py`` and, with other clients, ``tests/interop/test_protocols_doc.py``.
PROGRAMS: Final = frozenset({"python", "js"})

#: Per page what isn't run: the beginning of the block, and why.
UNRUN: Final[Mapping[str, Mapping[str, str]]] = {
    "README.md": {
        "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt . &&": "scripts/release installs what is built",
        "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e": "it is what runs this suite",
        "uv venv --allow-existing && uv pip install -c constraints.txt . &&": "uv may be missing; tests/test_docs.py compares",
        "uv venv --allow-existing && uv pip install -c constraints.txt -e": "uv may be missing; tests/test_docs.py compares",
        ".venv/bin/flagconsole demo\n": "tests/demo/test_demo.py runs it",
        ".venv/bin/flagconsole demo --headless": "tests/demo/test_demo.py runs it",
    },
    "CONTRIBUTING.md": {"scripts/check ": "it runs this suite"},
    "docs/architecture.md": {" key or command": "a drawing", "cli\ndemo\n": "a drawing; import-linter checks it"},
    "docs/containers.md": {
        "$ docker build": "needs Docker; scripts/check containers lints what it builds",
        "$ export FLAGCONSOLE_DATABASE_PASSWORD": "needs Docker; scripts/check containers checks compose.yaml",
        "$ kubectl create secret": "needs a cluster; scripts/check containers checks the manifests",
    },
    "docs/how-to/backups.md": {
        "$ PGOPTIONS": "needs PostgreSQL; scripts/walk-docs does it with docs/operations.md",
        "$ flagconsole migrate": "the servers of this store are running; docs/operations.md is walked through it",
        "$ flagconsole audit missing": "the same",
    },
    "docs/how-to/canary.md": {"$ flagconsole monitor invoices.write": "half an hour of a rollout that is measured"},
    "docs/how-to/monitoring.md": {"scrape_configs:": "Prometheus reads it", "groups:\n": "Prometheus reads it"},
    "docs/operations.md": {
        ".venv/bin/pip install --upgrade": "an installation",
        "pip install": "an installation",
        "CREATE ROLE": "an administrator's; tests/store/test_postgres_row_security.py does it",
    },
    "docs/protocols.md": {"pip install": "an installation"},
    "docs/tutorial.md": {
        "python3 -m venv": "scripts/release installs what is built, and walks the page with that",
        ". /where/the/clone/is": "the walk has its programs on the PATH",
    },
}


def _configuration(path: Path) -> None:
    KeyMap().remapped(manners_of(load(path), path).keys)


#: What reads the files that pages show and no command on them does. Each raises where it can't.
READERS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "config.toml": _configuration,
    "immediate.yaml": read_playbook,
    "response.toml": read_response,
}


def typed(page: Path) -> list[Block]:
    """The blocks of a page that its reader types or saves, without programs and what is listed in ``UNRUN``."""
    listed = tuple(UNRUN.get(str(page.relative_to(ROOT)), {}))
    return [block for block in blocks(page) if block.language not in PROGRAMS and not block.text.startswith(listed)]


#: The pages that somebody types here.
PAGES: Final = sorted(page for page in WRITTEN - WALKED if typed(page))
