"""A small parent that puts the terminal in order after a console that died without doing so: an abort, a kill -9.

It is forked before anything large is imported, holds nothing, and does nothing but wait, pass signals on and clean up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from types import FrameType
from typing import Final, NoReturn

#: Leaves the alternate screen, shows the cursor, ends mouse, focus and paste reports and the keyboard protocol, resets colours.
RESET: Final = (
    "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2004l"
    "\x1b[?2026l\x1b[<u\x1b[0m\r\n"
)
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
#: Seconds that a console gets to end after it was told to. One whose machine or terminal holds it up longer is killed: what it
#: had under way is in its journal.
GRACE: Final = 6.0

#: The guardian of this process; 0 where it has none.
guarded_by = 0


def stand_guard() -> None:
    """Fork. The child returns from this and is the console; the parent waits for it, cleans up and ends with its code.

    Call it before other threads run. Where there is no terminal to be cleaned it does nothing.
    """
    global guarded_by
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
        before = termios.tcgetattr(terminal)
    except (OSError, termios.error):
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(terminal)
        guarded_by = parent
        return
    _wait_for(child, terminal, before)


def left_alone() -> bool:
    """Whether this process had a guardian that is gone: then nobody would clean up after it any more."""
    return guarded_by != 0 and os.getppid() != guarded_by


def _wait_for(child: int, terminal: int, before: list[object]) -> NoReturn:
    def pass_on(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
        if number in {signal.SIGTERM, signal.SIGHUP}:
            signal.setitimer(signal.ITIMER_REAL, GRACE)

    def end(_: int, __: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    while True:
        try:
            _, status = os.waitpid(child, 0)
            break
        except InterruptedError:
            continue
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        said = f"flagconsole was ended by {name}. Actions under way are in its journal: the next start reads them back.\r\n"
        with contextlib.suppress(OSError, termios.error):
            os.write(terminal, (RESET + said).encode())
            termios.tcsetattr(terminal, termios.TCSANOW, before)  # type: ignore[arg-type]
        os._exit(128 + os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))
