"""Files of tenants, as CSV and as YAML: read wholly or not at all, with every wrong row named by its line.

In CSV a column that is missing leaves the field as it is in the store, and an empty cell makes it unknown. Lists are
separated by ``;``, and a blackout is written ``2026-12-20..2027-01-05 holidays``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.tenant import Blackout, TenantProfile
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, parse_yaml, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value
from flagconsole.operations.yaml_text import yaml_value

FORMATS: Final = ("csv", "yaml")
MAX_TENANTS: Final = 100_000
MAX_CHARACTERS: Final = 64 * 1024 * 1024
#: YAML takes its time: larger files are better written as CSV.
MAX_YAML_CHARACTERS: Final = 8 * 1024 * 1024
_NAMED: Final = 5

FIELDS: Final = tuple(TenantProfile.model_fields)
_BOOLEANS: Final = {"active", "beta_participant", "open_escalation"}
_WHOLE: Final = {"users", "tickets_90d"}
_NUMBERS: Final = {"risk_score", "engagement_score", "transaction_volume"}
_WORDS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_BLACKOUT: Final = re.compile(r"(\S{8,10})\s*\.\.\s*(\S{8,10})(?:\s+(.*))?")


class _Problem(NamedTuple):
    line: int
    field: str
    problem: str
    value: object

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}: {self.problem}"


class _Row(NamedTuple):
    """The fields of one tenant, with the line to blame for each."""

    line: int
    fields: dict[str, Any]
    node: Node | None = None

    def line_for(self, location: tuple[int | str, ...]) -> int:
        if self.node is None or not location:
            return self.line
        return line_of(self.node, str(location[0]), location[1:])


def parse_tenants(text: str, source: str, kind: str) -> list[TenantProfile]:
    """The tenants of a file of ``kind`` (``csv`` or ``yaml``); ``source`` names it in errors.

    Raises ``InvalidInput`` that names the first wrong line, field and value; the hint names up to five more.
    """
    place = Place(safe_text(source, 100))
    if len(text) > MAX_CHARACTERS:
        place.refuse(1, "file", f"must have at most {MAX_CHARACTERS} characters", len(text))
    problems: list[_Problem] = []
    tenants: list[TenantProfile] = []
    first_line: dict[str, int] = {}
    for row in _csv_rows(text, place, problems) if kind == "csv" else _yaml_rows(text, place):
        tenant = _tenant(row, problems)
        if tenant is None:
            continue
        if tenant.tenant_id in first_line:
            problem = f"is in line {first_line[tenant.tenant_id]} already"
            problems.append(_Problem(row.line, "tenant_id", problem, tenant.tenant_id))
        first_line.setdefault(tenant.tenant_id, row.line)
        tenants.append(tenant)
        if len(tenants) > MAX_TENANTS:
            place.refuse(row.line, "file", f"must have at most {MAX_TENANTS} tenants", None)
    if problems:
        _refuse(place, problems)
    if not tenants:
        place.refuse(1, "file", "has no tenants", None)
    return tenants


def _refuse(place: Place, problems: list[_Problem]) -> None:
    first, *others = sorted(problems, key=lambda item: item.line)
    also = "; ".join(str(item) for item in others[:_NAMED])
    more = f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    raise InvalidInput(
        f"{f'Also {also}{more}. ' if also else ''}Nothing was imported.",
        field=f"{place.source} line {first.line}, {first.field}",
        problem=first.problem,
        value=first.value,
    )


def _tenant(row: _Row, problems: list[_Problem]) -> TenantProfile | None:
    try:
        return TenantProfile.model_validate(row.fields)
    except ValidationError as error:
        for item in error.errors():
            path = field_path(item["loc"]) if item["loc"] else "size" if "size" in row.fields else "row"
            value = shown_value(item.get("input") if item["loc"] else row.fields.get(path))
            problems.append(_Problem(row.line_for(item["loc"]), path, problem_of(item), value))
        return None


# -- CSV ----------------------------------------------------------------------------------------------------------------


def _csv_rows(text: str, place: Place, problems: list[_Problem]) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if not header:
            place.refuse(1, "header", "is missing", None)
        columns = [name.strip() for name in header]
        _check_header(columns, place)
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                row = _csv_row(line, columns, cells, problems)
                if row is not None:
                    yield row
            line = reader.line_num + 1
    except csv.Error as error:
        place.refuse(reader.line_num or 1, "file", f"is not CSV: {safe_text(error, 200)}", None)


def _check_header(columns: list[str], place: Place) -> None:
    for name in columns:
        if name not in FIELDS:
            close = get_close_matches(name, FIELDS, n=1)
            known = f"did you mean {close[0]}?" if close else f"columns are {', '.join(FIELDS)}"
            place.refuse(1, "header", f"has a column that is no field of a tenant; {known}", shown_value(name))
        if columns.count(name) > 1:
            place.refuse(1, "header", "has the same column twice", name)
    if "tenant_id" not in columns:
        place.refuse(1, "header", "needs the column tenant_id", None)


def _csv_row(line: int, columns: list[str], cells: list[str], problems: list[_Problem]) -> _Row | None:
    if len(cells) != len(columns):
        problems.append(_Problem(line, "row", f"must have {len(columns)} cells like the header", len(cells)))
        return None
    fields: dict[str, Any] = {}
    for name, cell in zip(columns, cells, strict=True):
        try:
            value = _value_of(name, cell.strip())
        except ValueError as error:
            problems.append(_Problem(line, name, str(error), shown_value(cell)))
            return None
        if value is not None or name not in {"tenant_id", "active"}:
            fields[name] = value
    return _Row(line, fields)


def _value_of(name: str, cell: str) -> Any:
    """What a cell says. Raises ``ValueError`` with what is wrong."""
    if name in {"custom_configuration", "blackouts"}:
        parts = [part.strip() for part in cell.split(";") if part.strip()]
        return parts if name == "custom_configuration" else [_blackout(part) for part in parts]
    if name == "name":
        return cell
    if not cell:
        return None
    if name in _BOOLEANS:
        if cell.lower() not in _WORDS:
            raise ValueError("must be true or false")
        return _WORDS[cell.lower()]
    if name in _WHOLE or name in _NUMBERS:
        return _number(cell, int if name in _WHOLE else float)
    return cell


def _number(cell: str, kind: type[int] | type[float]) -> object:
    """The number in a cell; the text itself where it is none, which is then refused as such."""
    try:
        return kind(cell)
    except ValueError:
        return cell


def _blackout(text: str) -> dict[str, str]:
    match = _BLACKOUT.fullmatch(text)
    if match is None:
        raise ValueError("must be like 2026-12-20..2027-01-05 holidays, several separated by ;")
    return {"starts_on": match[1], "ends_on": match[2], "why": match[3] or ""}


# -- YAML ---------------------------------------------------------------------------------------------------------------


def _yaml_rows(text: str, place: Place) -> Iterator[_Row]:
    root = parse_yaml(text, place, MAX_YAML_CHARACTERS)
    listed = root.value.get("tenants") if isinstance(root.value, dict) else None
    if listed is None or len(root.value) != 1 or not isinstance(listed.value, list):
        place.refuse(root.line, "file", "must be a mapping with the list tenants", kind_of(root.value))
    for index, node in enumerate(listed.value):
        if not isinstance(node.value, dict):
            problem = "must be a mapping with tenant_id, name and the like"
            place.refuse(node.line, f"tenants[{index}]", problem, kind_of(node.value))
        yield _Row(node.line, plain(node), node)


# -- writing ------------------------------------------------------------------------------------------------------------


def dump_tenants(tenants: Iterable[TenantProfile], kind: str) -> str:
    """The tenants as a file of ``kind`` that ``parse_tenants`` reads back to the same tenants."""
    return _dump_csv(tenants) if kind == "csv" else _dump_yaml(tenants)


def _dump_csv(tenants: Iterable[TenantProfile]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for tenant in tenants:
        writer.writerow([_cell(getattr(tenant, name)) for name in FIELDS])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "; ".join(_cell(item) for item in value)
    if isinstance(value, Blackout):
        return f"{value.starts_on}..{value.ends_on} {value.why}".strip()
    return str(value)


def _dump_yaml(tenants: Iterable[TenantProfile]) -> str:
    """Each value as JSON, which is YAML that nobody misreads, but for letters that need an escape of YAML's own."""
    lines = ["tenants:"]
    for tenant in tenants:
        fields = tenant.model_dump(mode="json", exclude_none=True)
        known = [(name, value) for name, value in fields.items() if value != []]
        for index, (name, value) in enumerate(known):
            lines.append(f"  {'-' if index == 0 else ' '} {name}: {yaml_value(value)}")
    return "\n".join(lines if len(lines) > 1 else ["tenants: []"]) + "\n"
