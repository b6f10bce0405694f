"""The contract tests run on every backend."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The backend of this test."""
    name: str = request.param
    return name
