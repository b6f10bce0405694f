"""Ages and times as people read them, and how worrying an age is."""

from __future__ import annotations

from datetime import UTC, datetime

#: Data older than this many seconds is amber, then red.
AGEING = 30.0
OLD = 300.0


def age_role(seconds: float) -> str:
    """The role that an age is painted in: plain up to 30 s, amber up to 5 minutes, red beyond."""
    if seconds <= AGEING:
        return "good"
    return "warning" if seconds <= OLD else "danger"


def quiet_age_role(seconds: float) -> str:
    """The same where nobody has to look at an age that is as it should be."""
    role = age_role(seconds)
    return "muted" if role == "good" else role


def age_text(seconds: float) -> str:
    """The age of data that should be fresh: ``0.4s``, ``12s``, ``3m05s``, ``2h10m``."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{int(seconds)}s"
    if seconds < 3600:
        return f"{int(seconds) // 60}m{int(seconds) % 60:02d}s"
    return f"{int(seconds) // 3600}h{int(seconds) % 3600 // 60:02d}m"


def ago(seconds: float) -> str:
    """How long ago something happened, in at most four characters: ``now``, ``42s``, ``3m``, ``5h``, ``9d``, ``2y``."""
    if seconds < 1:
        return "now"
    for limit, unit, size in ((60, "s", 1), (3600, "m", 60), (86_400, "h", 3600), (86_400 * 1000, "d", 86_400)):
        if seconds < limit:
            return f"{int(seconds / size)}{unit}"
    return f"{int(seconds / 31_557_600)}y"


def ago_words(seconds: float) -> str:
    """How long ago something happened, in words: ``just now``, ``3m ago``."""
    return "just now" if seconds < 1 else f"{ago(seconds)} ago"


def clock_text(at: float) -> str:
    """The time of day in UTC: ``14:07:31``."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def precise_text(at: float) -> str:
    """The time of day in UTC to the millisecond: ``14:07:33.120``."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def moment_text(at: float, now: float) -> str:
    """The time of day on the day of ``now``, else the date: at most eleven characters."""
    then, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    if then.date() == today.date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%m-%d %H:%M") if then.year == today.year else then.strftime("%Y-%m-%d")


def milliseconds_text(seconds: float) -> str:
    """A short duration: ``44 ms``, ``2.1 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
