"""The traps of YAML are refused with their line in every kind of file that we read, and ``NO`` is a text in each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagconsole.cli.configuration import load
from flagconsole.console.theme import read_theme
from flagconsole.domain.errors import InvalidInput
from flagconsole.operations.bulk_file import parse_bulk
from flagconsole.operations.catalogue import parse_catalogue
from flagconsole.operations.environment_file import parse_environment
from flagconsole.operations.flagd_file import parse_flagd
from flagconsole.operations.foreign_file import Reading
from flagconsole.operations.plan_file import parse_plan
from flagconsole.operations.strict_yaml import Place
from flagconsole.operations.tenant_file import parse_tenants
from flagconsole.operations.unleash_file import parse_unleash
from flagconsole.rollout.playbook_file import parse_playbook
from flagconsole.rollout.response import read_response

READERS: dict[str, Callable[[str], Any]] = {
    "environment": lambda text: parse_environment(text, "file"),
    "catalogue": lambda text: parse_catalogue(text, "file"),
    "bulk": lambda text: parse_bulk(text, "file"),
    "plan": lambda text: parse_plan(text, "file"),
    "playbook": lambda text: parse_playbook(text, "file"),
    "tenants": lambda text: parse_tenants(text, "file", "yaml"),
    "unleash": lambda text: parse_unleash(text, Place("file"), Reading()),
    "flagd": lambda text: parse_flagd(text, Place("file"), Reading()),
}
#: Nine levels of ten: a thousand million strings, if somebody expanded them.
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
TRAPS = {
    "duplicate": ("flags: []\nother: 1\nflags: []\n", "line 3", "is a duplicate key (first in line 1)"),
    "alias": ("flags: []\nb: *a\n", "line 2", "must not use anchors or aliases"),
    "bomb": (f"flags: []\n{BOMB}", "line 2", "must not use anchors or aliases"),
    "merge": ("flags: []\nb:\n  <<: *a\n", "line 3", "must not use anchors or aliases"),
    "tag": ("flags: []\nb: !!python/object/apply:os.system [x]\n", "line 2", "must not use tags"),
    "depth": ("flags: []\nb: " + "[" * 200 + "\n", "line 2", "must not nest deeper"),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_with_its_line(kind: str, trap: str):
    text, line, said = TRAPS[trap]
    began = time.process_time()
    with pytest.raises(InvalidInput) as caught:
        READERS[kind](text)
    assert time.process_time() - began < 10
    assert line in caught.value.details["field"]
    assert said in caught.value.details["problem"]


def test_no_is_a_text_everywhere():
    """Norway, and whoever answers no: neither is false."""
    [flag] = READERS["catalogue"]("flags:\n- {name: a.b, owner: NO, description: no, tags: [NO, yes]}\n")
    assert (flag.owner, flag.description, flag.tags) == ("NO", "no", ("NO", "yes"))
    bulk = READERS["bulk"]("reason: NO\nflags:\n- {name: a.b, state: off, owner: NO}\n")
    assert (bulk.change_reason, bulk.changes[0].owner, bulk.changes[0].current_state) == ("NO", "NO", "off")
    [tenant] = READERS["tenants"]("tenants:\n- {tenant_id: NO, name: no, region: no}\n")
    assert (tenant.tenant_id, tenant.name, tenant.region) == ("NO", "no", "no")
    plan = READERS["plan"](
        "name: NO\ndescription: no\nphases:\n- {name: on, kind: full, percentage: 100, min_hours: 1}\n"
    )
    assert (plan.plan.name, plan.plan.description, plan.plan.phases[0].name) == ("NO", "no", "on")
    playbook = READERS["playbook"](
        "name: gradual\ndescription: NO\nsteps:\n- {name: off, title: no, kind: flag, effect: off, estimate_minutes: 1}\n"
    )
    assert (playbook.description, playbook.steps[0].title, playbook.steps[0].effect) == ("NO", "no", "off")
    environment = READERS["environment"]("flags:\n- {name: a.b, owner: NO, state: off}\n")
    assert environment.flags[0].owner == "NO"


@pytest.mark.parametrize("read", [read_response, load, read_theme])
def test_a_key_that_is_there_twice_is_refused_with_its_line_in_toml_too(read: Callable[[Path], Any], tmp_path: Path):
    file = tmp_path / "settings.toml"
    file.write_text('url = "https://a.example"\nurl = "https://b.example"\n')
    with pytest.raises(InvalidInput) as caught:
        read(file)
    assert "line 2" in str(caught.value)
