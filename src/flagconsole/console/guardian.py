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
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_PASSED_ON: Final = (*_ENDING, signal.SIGINT, signal.SIGQUIT)
#: Seconds that a console gets to end after it was told to. One whose machine or terminal holds it up longer is killed: what it
#: had under way is in its journal.
GRACE: Final = 6.0

#: The guardian of this process; 0 where it has none.
guarded_by = 0


def stand_guard(grace: float = GRACE, *, interrupts: bool = True) -> None:
    """Fork. The child returns from this and is the console; the parent waits for it, cleans up and ends with its code.

    ``grace`` is how long (seconds) the child gets to end once it was told to. Without ``interrupts`` Ctrl-C is the child's alone: a
    terminal sends it to both, and a second one would break off what the child cleans up. Call it before other threads run. Where there
    is no terminal to be cleaned it does nothing.
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
    # A signal that comes before the parent knows what to do with it waits.
    open_ones = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, open_ones)
        os.close(terminal)
        guarded_by = parent
        return
    _wait_for(child, terminal, before, grace, _PASSED_ON if interrupts else _ENDING)


def left_alone() -> bool:
    """Whether this process had a guardian that is gone: then nobody would clean up after it any more."""
    return guarded_by != 0 and os.getppid() != guarded_by


def _wait_for(
    child: int, terminal: int, before: list[object], grace: float, passed_on: tuple[signal.Signals, ...]
) -> NoReturn:
    def pass_on(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
        if number in _ENDING:
            signal.setitimer(signal.ITIMER_REAL, grace)

    def end(_: int, __: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    for number in _PASSED_ON:
        signal.signal(number, pass_on if number in passed_on else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
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
