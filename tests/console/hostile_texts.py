"""What strangers could write into names, reasons and errors, and a way to write it into everything that a server says."""

from __future__ import annotations

from typing import Any, Final

HOSTILE: Final = [
    # markup, and ways around both escape() functions
    "x[/red]y",
    "[/]closed",
    "[bold]b[/bold]",
    "[@click=app.exit]quit[/]",
    "[@click=app.exit()]quit2[/]",
    "[ @click=app.exit]quit3[/]",
    "[$accent @click=app.exit]quit4[/]",
    "[@click=screen.dismiss]gone[/]",
    "\\[@click=app.exit]quit5[/]",
    "\\[bold]b2[/bold]",
    "[link=https://evil.example]here[/link]",
    "flag[prod]",
    "[red on",
    "]]>[[",
    # terminal commands, C0
    "\x1b[2J\x1b[Hgone3",
    "\x1b[31;5;97mEVIL",
    "\x1b[?1049lout",
    "\x1b]0;title\x07t",
    "\x1b]52;c;RVZJTA==\x07copied",
    "\x1b]52;c;RVZJTA==\x1b\\copied2",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]9;notify\x07n",
    "\x1bP1;2|dcs\x1b\\d",
    "\x1b_apc\x1b\\a",
    "\x1b(0lqk",
    "\x1bcreset",
    "\x00\x07\x08\x7fnul",
    "line\nbreak\ttab\r\x0b\x0c",
    "back\x08\x08\x08over",
    # the same in C1
    "\x9b2Jc1",
    "\x9d0;title\x9c",
    "\x90q\x9c",
    "\x85nextline",
    # hidden and turned text
    "abc\u202egpj.exe",
    "\u2066iso\u2069\u200f",
    "a\u200bb\u2060c\ufeffd",
    "soft\u00adhyphen",
    "tag\U000e0041\U000e0042",
    "vs\ufe0f\U000e0100",
    "\u3164hangul\uffa0",
    "\ud800lone",
    "\u2028ls\u2029ps",
    # floods
    "z" + "\u0301" * 500 + "algo",
    "名前漢字" * 40,
    "👩‍👩‍👧‍👦family",
    "w" * 200_000,
]

#: Fields whose values are kept: what refers to something, times, and the words of the system.
KEPT: Final = frozenset(
    [
        "flag_name",
        "rollout_id",
        "incident_id",
        "run_id",
        "instance_id",
        "tenant_id",
        "epoch",
        "phase",
        "status",
        "kind",
        "outcome",
        "purpose",
        "comparison",
        "urgency",
        "monitoring",
        "presence",
        "state",
        "current_state",
        "execution_type",
        "change_type",
        "action",
        "impact",
    ]
)


def poisoned(data: Any, text: str, kept: frozenset[str] = KEPT) -> Any:
    """``data`` with ``text`` for every string that a stranger could have written."""
    if isinstance(data, dict):
        return {
            key: value if key in kept or key.endswith("_at") else poisoned(value, text, kept)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [poisoned(item, text, kept) for item in data]
    return text if isinstance(data, str) else data
