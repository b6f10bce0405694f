"""The plain status."""

from __future__ import annotations

from typing import Any

from flagconsole.console.plain import status_lines


async def test_one_line_for_each_flag_without_control_characters(server: Any) -> None:
    server.change("pos.lite", "on", reason="\x1b[31mred", silent=True)
    lines = status_lines("http://here", await server.status(), await server.flags())
    assert lines[0].startswith("PRODUCTION  http://here  rev 8  SDK 12/12")
    assert len(lines) == 7
    (pos,) = [line for line in lines if line.startswith("pos.lite")]
    assert "on" in pos
    assert "ci: \\u{1b}[31mred" in pos
