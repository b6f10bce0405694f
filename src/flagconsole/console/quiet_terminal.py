"""The terminal while the console is on its way: nothing that is typed is shown or kept."""

from __future__ import annotations

import contextlib
import sys
import termios
from collections.abc import Iterator

#: Where ``termios`` keeps its local modes.
_LOCAL = 3


@contextlib.contextmanager
def quiet_terminal() -> Iterator[None]:
    """Show no key that is typed while the block runs, and leave the terminal as it was however the block ends.

    What was typed before, and what nobody has read at the end, is thrown away: a key that was meant for a screen that
    wasn't there yet must neither act on it nor stand before the shell's prompt afterwards. Ctrl-C goes on interrupting.
    Where standard input is no terminal it does nothing.
    """
    try:
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
    except (OSError, ValueError, termios.error):
        yield
        return
    quiet = list(before)
    quiet[_LOCAL] &= ~(termios.ECHO | termios.ICANON)
    with contextlib.suppress(termios.error):
        termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
    try:
        yield
    finally:
        # A terminal that was taken away has nothing to be put in order.
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
