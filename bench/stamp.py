"""When, where and of which code something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def stamp() -> dict[str, str]:
    """What every result carries beside its figures."""
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": f"{os.cpu_count()} × {models[0] if models else platform.machine()}, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {platform.python_implementation()} {platform.python_version()}",
    }


def commit() -> str:
    """The code's commit, with a + where files are changed beside what benchmarks write themselves; empty outside a repository."""
    try:
        name = _git("rev-parse", "--short=10", "HEAD").strip()
        changed = _git("status", "--porcelain", "--", ".", ":!bench/results", ":!docs").strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{name}+" if changed else name


def busyness(before: float, after: float) -> str:
    """How busy the machine was, in words: its load before and after, of which this run is about one."""
    said = f"load {before:.1f} before, {after:.1f} after"
    if before > 0.5 * (os.cpu_count() or 1):
        return f"{said}: **the machine was busy with other work**, so only the ratios say something"
    return said


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout
