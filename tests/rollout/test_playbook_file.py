"""The shipped playbooks have the figures that were agreed; files of one's own replace them, with mistakes named by line."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.rollout.playbook_file import parse_playbook, playbook_files, read_playbooks, shipped_playbook

GOOD = """\
name: immediate
description: Off and done
steps:
  - name: disable
    title: Disable the flag
    kind: flag
    effect: "off"
    estimate_minutes: 1
  - name: prove
    title: Prove it
    kind: verify
    checks: [receipts]
    minutes: 2
    estimate_minutes: 2
"""


@pytest.mark.parametrize(
    ("name", "estimates", "total", "totals", "told"),
    [
        (
            "gradual",
            [1, 2, 30, 2],
            35,
            [35, 25, 15, 40, 20],
            {0: ["engineering"], 15: ["product", "customer_success"], 60: ["affected_customers"]},
        ),
        (
            "immediate",
            [1, 2, 1, 5],
            9,
            [9, 7, 5, 12, 8],
            {
                0: ["on_call", "engineering_manager", "product_manager"],
                5: ["cto", "customer_success"],
                30: ["affected_customers", "all_staff"],
            },
        ),
        (
            "kill_switch",
            [0.5, 1, 1, 2],
            4.5,
            [4.5, 3, 2, 6, 3],
            {
                0: ["ceo", "cto", "vp_engineering", "on_call"],
                2: ["all_engineering", "customer_success", "support"],
                5: ["all_staff"],
                15: ["affected_customers", "status_page"],
            },
        ),
    ],
)
def test_the_shipped_figures(name, estimates, total, totals, told):
    playbook = shipped_playbook(name)
    assert [step.estimate_minutes for step in playbook.steps] == estimates
    assert playbook.total_minutes == total
    flags = ("invoices.write", "estimates.write", "estimates.ai_pricing", "scheduling.write", "pos.lite")
    assert [playbook.estimate_for(flag) for flag in flags] == totals
    assert playbook.estimate_for("some.other") == total
    groups: dict[float, list[str]] = {}
    for notice in playbook.notices:
        groups.setdefault(notice.within_minutes, []).append(notice.audience)
    assert groups == told
    assert len(playbook.verifications) == 4


def test_gradual_watches_half_an_hour_and_completes_only_without_improvement():
    watch, complete = shipped_playbook("gradual").steps[2:]
    assert (watch.kind, watch.minutes) == ("watch", 30)
    assert (complete.effect, complete.when) == ("shadow", "not_improved")


@pytest.mark.parametrize(
    ("old", "new", "where", "problem"),
    [
        ("minutes: 2\n", "minuts: 2\n", "line 13, steps[1].minuts", "did you mean minutes?"),
        ("    minutes: 2\n", "", "line 9, steps[1]", "a verify step needs minutes"),
        ("checks: [receipts]", "checks: [receipt]", "line 12, steps[1].checks[0]", "'receipts'"),
        ('effect: "off"', "effect: on", "line 7, steps[0].effect", "'freeze'"),
        ('effect: "off"', "effect: kill", "line 1, ", "kill_switch, and no other"),
        (
            'kind: flag\n    effect: "off"',
            "kind: wait\n    minutes: 1",
            "line 3, steps",
            "first step must be of kind flag",
        ),
        ("name: prove", "name: disable", "line 3, steps", "the step disable is there twice"),
        ("name: immediate", "name: instant", "line 1, name", "pattern"),
        ("kind: verify", "kind: verify\n    argv: [kubectl]", "line 9, steps[1]", "a verify step has no argv"),
        ("estimate_minutes: 1\n", "estimate_minutes: -1\n", "line 8, steps[0].estimate_minutes", "greater"),
    ],
)
def test_mistakes_are_named_by_line_and_field(old, new, where, problem):
    assert old in GOOD
    with pytest.raises(InvalidInput) as error:
        parse_playbook(GOOD.replace(old, new, 1), "mine.yaml")
    assert f"mine.yaml {where}" in error.value.details["field"]
    assert problem in error.value.details["problem"]


@pytest.mark.parametrize("argv", ["[/bin/sh, -c, x]", "[-rf]", '["{flag}"]'])
def test_a_program_is_named_never_given_as_a_path(argv):
    step = f"kind: command\n    argv: {argv}"
    text = GOOD.replace("kind: verify\n    checks: [receipts]\n    minutes: 2", step)
    with pytest.raises(InvalidInput, match="name of an allowed program"):
        parse_playbook(text, "mine.yaml")


def test_a_file_of_ones_own_replaces_the_shipped_one(tmp_path):
    (tmp_path / "own.yaml").write_text(GOOD)
    books = read_playbooks(playbook_files(tmp_path))
    assert books["immediate"].description == "Off and done"
    assert books["gradual"] == shipped_playbook("gradual")
    (tmp_path / "other.yaml").write_text(GOOD)
    with pytest.raises(InvalidInput, match=r"is the playbook of other\.yaml already"):
        read_playbooks(playbook_files(tmp_path))


def test_an_empty_folder_is_a_mistake(tmp_path):
    with pytest.raises(InvalidInput, match="folder with playbooks"):
        playbook_files(tmp_path)
