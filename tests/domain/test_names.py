"""What may be a name."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from flagconsole.domain.names import FlagName, ReasonText, TenantId, domain_of, is_flag_name

FLAG: TypeAdapter[str] = TypeAdapter(FlagName)
TENANT: TypeAdapter[str] = TypeAdapter(TenantId)
REASON: TypeAdapter[str] = TypeAdapter(ReasonText)

GOOD = ["invoices.write", "v0.templates", "a.b", "a1.b_c-d.e.f", f"{'a' * 63}.{'b' * 63}"]
BAD = [
    "invoices", ".write", "invoices.", "Invoices.write", "invoices.wri te", "invoices..write", "a.b.c.d.e", "-a.b",
    "a.-b", "_a.b", "a.b\n", "a.b\x00", "ä.b", "a/b", "", f"{'a' * 64}.b", "a.b;rm", "a.b[/]",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_flag_names(name: str):
    assert FLAG.validate_python(name) == name
    assert is_flag_name(name)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_flag_name(name: str):
    assert not is_flag_name(name)
    with pytest.raises(ValidationError):
        FLAG.validate_python(name)


def test_the_domain_is_the_first_part():
    assert domain_of("invoices.write.more") == "invoices"


def test_tenants_are_one_line_of_text():
    for good in ("tenant-0042", "Österreich GmbH", "日本", "a b"):
        assert TENANT.validate_python(good) == good
    for bad in ("", " ", "a\nb", "a\tb", "a\x1bb", "a\x9bb", "a\x7f", "\ud800", "x" * 129):
        with pytest.raises(ValidationError):
            TENANT.validate_python(bad)


def test_reasons_may_have_lines_but_no_controls():
    assert REASON.validate_python("one\ntwo\tthree") == "one\ntwo\tthree"
    for bad in ("", "  \n", "a\x00", "a\x1b[31m", "a\x85", "\udfff", "x" * 1001):
        with pytest.raises(ValidationError):
            REASON.validate_python(bad)


def test_a_refused_character_is_named():
    with pytest.raises(ValidationError, match=r"control character U\+001B"):
        REASON.validate_python("a\x1b")
