"""``python -m bench NAME``: run one of the measurements."""

from __future__ import annotations

import importlib
import sys

from bench.record import run
from bench.registry import BENCHMARKS, BY_HAND


def main() -> int:
    """Hand the arguments to the measurement that is named first."""
    names = sorted({*BENCHMARKS, *BY_HAND})
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(f"usage: python -m bench {{{','.join(names)}}} [--help]", file=sys.stderr)
        return 2
    name, arguments = sys.argv[1], sys.argv[2:]
    if name in BY_HAND:
        return int(importlib.import_module(f"bench.{name}").main(arguments))
    return run(name, arguments)


if __name__ == "__main__":
    sys.exit(main())
