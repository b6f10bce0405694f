"""Environments as files: read strictly, written always the same, with the comments where they were."""

from __future__ import annotations

import pytest

from flagconsole.domain.environment import Environment, FlagEntry, OverrideEntry
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.catalogue import shipped_catalogue
from flagconsole.operations.environment_file import dump_environment, parse_environment
from flagconsole.operations.plan_file import SHIPPED, shipped_plan

FILE = """\
# what pos runs
---
flags:  # all of them

  # the pilot
  - name: pos.lite  # ours
    state: on
    percentage: 10     # a tenth
    # both of them
    tags: [a,  # one
           b]
    description: |  # in short
      # no comment
      Sales
    affects:
      # goes away
      - POST /api/old  # soon
      - "# no comment either"
    owner: 'ann # not bob'
  # leaves
  - name: pos.gone
overrides:
  - {flag: pos.lite, tenant: "0042", state: off}  # they asked
# the end
"""


def test_what_is_read_is_written_and_read_again():
    environment = parse_environment(FILE, "env.yaml")
    flag = environment.flags[0]
    assert (flag.current_state, flag.tags, flag.description) == ("on", ("a", "b"), "# no comment\nSales\n")
    assert (environment.overrides[0].tenant_id, environment.overrides[0].override_state) == ("0042", "off")
    text, gone = dump_environment(environment, FILE)
    assert (parse_environment(text, "again"), gone) == (environment, 0)
    assert dump_environment(environment, text) == (text, 0)


def test_comments_stay_where_they_were_also_when_things_change():
    flag = parse_environment(FILE, "env.yaml").flags[0]
    changed = flag.model_copy(update={"affects": ("new",), "canary_percentage": 25})
    first = FlagEntry(flag_name="pos.first", current_state="off")
    overrides = (
        OverrideEntry(flag_name="pos.lite", tenant_id="0042", override_state="off"),
        OverrideEntry(flag_name="pos.lite", tenant_id="1", override_state="on"),
    )
    text, gone = dump_environment(Environment(flags=(first, changed), overrides=overrides), FILE)
    assert (
        text
        == """\
# what pos runs
flags:  # all of them
  - name: pos.first
    state: off

  # the pilot
  - name: pos.lite  # ours
    description: "# no comment\\nSales\\n"  # in short
    state: on
    percentage: 25  # a tenth
    # goes away
    # soon
    affects:
      - new
    owner: "ann # not bob"
    # both of them
    tags:  # one
      - a
      - b
overrides:
  - flag: pos.lite  # they asked
    tenant: "0042"
    state: off
  - flag: pos.lite
    tenant: "1"
    state: on
plans: []
# the end
"""
    )
    assert gone == 1, "the comment about pos.gone"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_plan_is_written_so_that_it_is_read_to_the_very_same(name: str):
    found = shipped_plan(name)
    plan = found.plan.model_copy(update={"name": "ours"})
    environment = Environment(plans=(PlanEntry(plan=plan, flags=found.flags),))
    text, _ = dump_environment(environment)
    assert parse_environment(text, "x").plans == environment.plans
    noted = text.replace("  - name: ours\n", "  # slower\n  - name: ours  # mine\n")
    again, gone = dump_environment(environment, noted)
    assert (again, gone) == (noted, 0)


PLANS = """\
plans:
  - name: ours
    metrics:
      queue: {query: 'q{flag="{flag}",group="{group}"}', freshness: 'max(f{flag="{flag}"})', kind: gauge}
    phases:
      - name: canary 10
        kind: canary
        percentage: 10
        min_minutes: 1
        look_seconds: 5
        success:
          - error_rate <= 0.07 %
          - latency_p95 <= 812.5 ms
          - {limit: acceptance >= 70 %, kind: ratio}
          - p95_regression <= -0.5 %
        rollback:
          - {limit: error_rate > 0.29 %, evidence: threshold}
          - {limit: queue > 1000, evidence: threshold}
    flags:
      pos.lite:
        canary 10: {rollback: []}
"""


def test_limits_of_every_kind_keep_their_value_and_their_kind():
    environment = parse_environment(PLANS, "x")
    out, _ = dump_environment(environment)
    assert parse_environment(out, "y").plans == environment.plans
    assert '"error_rate > 0.29 %"' in out
    assert "evidence: threshold" in out


def test_hostile_text_survives_and_can_do_nothing():
    hostile = "\\x1b]52;\u202e: # {a}\u00e9\U000e0041 'q\" - \n\t"
    flag = FlagEntry(flag_name="a.b", description=hostile, owner="on", tags=("null", "1.5", "- x", "{}"))
    text, _ = dump_environment(Environment(flags=(flag,)))
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert parse_environment(text, "x").flags == (flag,)


def test_a_catalogue_is_an_environment_too():
    catalogue = shipped_catalogue("thorbis")
    flags = tuple(FlagEntry.model_validate(item.model_dump(exclude={"change_reason"})) for item in catalogue)
    text, _ = dump_environment(Environment(flags=flags))
    assert parse_environment(text, "x").flags == flags


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("flags:\n  - nam: a.b\n", "line 2, flags[0].nam: is not a field here; did you mean name?"),
        ("flags:\n  - state: on\n", "line 2, flags[0].name: is missing"),
        ("flags:\n  - name: a.b\n    state: canari\n", "line 3, flags[0].state: must be"),
        ("flags:\n  - name: a.b\n    default_state: kill\n", "line 3, flags[0].default_state: a flag starts as"),
        ("flags:\n  - name: a.b\n    tags:\n      - x\n      - 3\n", "line 5, flags[0].tags[1]"),
        ("flags:\n  - name: a.b\n  - name: a.b\n", "flags: a.b is there twice"),
        ("flags:\n  a.b: {}\n", "line 1, flags: must be a list (got 'a mapping')"),
        ("flags:\n  - a.b\n", "line 2, flags[0]: must be a mapping (got 'a.b')"),
        ("overrides:\n  - {flag: a.b, tenant: t, state: kill}\n", "line 2, overrides[0].state: an override is off"),
        ("overrides:\n  - {flag: a.b, tenant: t, state: on, expires_at: soon}\n", "line 2, overrides[0].expires_at"),
        ("{}", "must have the list flags"),
        ("- a\n", "line 1, file: must be a mapping (got 'a list')"),
        ("plans: {}\n", "line 1, plans: must be a list (got 'a mapping')"),
        ("flag: []\n", "line 1, flag: is not a field here; did you mean flags?"),
        ("plans:\n  - name: slow\n    phases:\n      - {name: a, kind: canary}\n", "line 4, phases[0]"),
        ("plans:\n  - slow\n", "line 2, plans[0]: must be a mapping (got 'slow')"),
    ],
)
def test_a_mistake_is_named_by_line_and_field(wrong: str, said: str):
    with pytest.raises(InvalidInput) as refused:
        parse_environment(wrong, "env.yaml")
    assert said in str(refused.value)
