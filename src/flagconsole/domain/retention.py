"""How long what was measured is kept, and how finely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flagconsole.domain.errors import InvalidInput

#: The widths that older buckets are rolled up to, seconds.
MIDDLE_SECONDS: Final = 300
COARSE_SECONDS: Final = 3600
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """Buckets older than ``fine_days`` become 5 minutes wide, older than ``middle_days`` one hour; after ``keep_days`` they are
    deleted. Raises ``InvalidInput`` where these don't follow each other."""

    fine_days: float = 1.0
    middle_days: float = 7.0
    keep_days: float = 90.0

    def __post_init__(self) -> None:
        if not self.fine_days >= 1 / 24:
            raise InvalidInput(field="fine_days", problem="must be an hour (1/24) or more", value=self.fine_days)
        if not self.fine_days <= self.middle_days:
            raise InvalidInput(field="middle_days", problem="must not be less than fine_days", value=self.middle_days)
        if not self.middle_days <= self.keep_days <= 3660:
            raise InvalidInput(
                field="keep_days", problem="must not be less than middle_days nor more than 3660", value=self.keep_days
            )

    def fine_until(self, now: float) -> int:
        """Buckets that start before this are to be 5 minutes wide. Seconds since the epoch."""
        return int((now - self.fine_days * _DAY) // MIDDLE_SECONDS) * MIDDLE_SECONDS

    def middle_until(self, now: float) -> int:
        """Buckets that start before this are to be an hour wide."""
        return int((now - self.middle_days * _DAY) // COARSE_SECONDS) * COARSE_SECONDS

    def kept_until(self, now: float) -> int:
        """Buckets that start before this are to be deleted."""
        return int(now - self.keep_days * _DAY)
