"""``python -m bench NAME``: run one of the measurements."""

from __future__ import annotations

import importlib
import sys

NAMES = ("abuse", "all", "cli", "console", "evaluate", "judge", "load", "operation")


def main() -> int:
    """Hand the arguments to the measurement that is named first."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print(f"usage: python -m bench {{{','.join(NAMES)}}} [--help]", file=sys.stderr)
        return 2
    return int(importlib.import_module(f"bench.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
