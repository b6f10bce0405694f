"""The dependency graph when it is written: no cycles, and who would be affected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flagconsole.domain.errors import DependencyCycle


def refuse_cycle(flag_name: str, dependencies: Sequence[str], graph: Mapping[str, Sequence[str]]) -> None:
    """Raise ``DependencyCycle``, naming the cycle, if ``flag_name`` with ``dependencies`` would close one.

    ``graph`` maps each flag of the store to its direct dependencies; names that are no flags end a path.
    """
    trail: dict[str, str] = {}
    pending = list(dict.fromkeys(dependencies))
    for name in pending:
        trail.setdefault(name, flag_name)
    while pending:
        name = pending.pop()
        if name == flag_name:
            raise DependencyCycle(
                "Remove one of these dependencies.", cycle=" → ".join(_path(flag_name, trail)), flag=flag_name
            )
        for other in graph.get(name, ()):
            if other not in trail:
                trail[other] = name
                pending.append(other)


def _path(flag_name: str, trail: Mapping[str, str]) -> list[str]:
    path = [flag_name]
    name = trail[flag_name]
    while name != flag_name:
        path.append(name)
        name = trail[name]
    path.append(flag_name)
    return path[::-1]
