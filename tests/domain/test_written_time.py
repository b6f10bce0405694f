"""Numbers are no days and no times."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate, OverrideSet


@pytest.mark.parametrize("value", [0, 1.5, True, "0", "1893456000", "-5"])
@pytest.mark.parametrize(
    ("model", "field", "rest"),
    [
        (FlagCreate, "expires_on", {"flag_name": "a.b"}),
        (FlagUpdate, "expires_on", {"change_reason": "later"}),
        (OverrideSet, "expires_at", {"override_state": "off", "override_reason": "ours"}),
        (KeyCreate, "expires_at", {"name": "x", "role": "viewer"}),
    ],
)
def test_a_number_is_no_time(model, field, rest, value):
    with pytest.raises(ValidationError, match="such as 2027-01-31"):
        model.model_validate({**rest, field: value})


def test_what_is_written_down_is_taken():
    assert FlagCreate(flag_name="a.b", expires_on="2027-01-31").expires_on.isoformat() == "2027-01-31"  # type: ignore[arg-type, union-attr]
    made = KeyCreate.model_validate({"name": "x", "role": "viewer", "expires_at": "2027-01-31T17:00:00Z"})
    assert made.expires_at is not None
    assert made.expires_at.isoformat() == "2027-01-31T17:00:00+00:00"
