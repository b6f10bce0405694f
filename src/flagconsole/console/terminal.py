"""Manners towards the terminal: input that survives a bad byte, output that survives a terminal which doesn't listen."""

from __future__ import annotations

import codecs
import contextlib
import os
import queue
import selectors
import sys
import termios
import time
from typing import IO, Any, Final, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size

from flagconsole.console.terminal_output import TerminalOutput

#: Seconds that painting waits for a terminal that takes nothing; after that frames are dropped and the console goes on.
PATIENCE: Final = 1.0
#: Seconds between two looks at whether the writing thread has taken the first frame, and how often is looked at most.
TURN: Final = 0.0002
MOST_TURNS: Final = 100


class TolerantDriver(LinuxDriver):
    """Textual's driver with input that can't be killed by a byte that isn't UTF-8 (a re-attached tmux sends such), and output
    that neither a stuck terminal nor one that was taken away can stop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._output = TerminalOutput(cast("IO[str]", self._file).fileno())
        self._file = cast(Any, self._output)
        self._behind = False

    def start_application_mode(self) -> None:
        """Take the terminal. What was typed for a screen that wasn't there yet is thrown away: it could kill what nobody saw."""
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    @property
    def terminal_gone(self) -> bool:
        """Whether the terminal was taken away."""
        return self._output.gone

    def write(self, data: str) -> None:
        """Hand a frame to the writing thread. Textual would wait for ever for a terminal that takes none."""
        thread = self._writer_thread
        if thread is None or self._output.gone:
            return
        try:
            thread._queue.put(data, timeout=0 if self._behind else PATIENCE)
        except queue.Full:
            self._behind = True

    def let_through(self) -> None:
        """Wait a moment until the writing thread has taken what was painted. From a thread that goes on computing it gets its turn
        only after five milliseconds (``sys.getswitchinterval``), and what was painted would be seen that much later."""
        for _ in range(MOST_TURNS):
            if self._writer_thread is None or self._writer_thread._queue.empty():
                return
            time.sleep(TURN)

    def caught_up(self) -> bool:
        """Whether frames were dropped and the terminal takes them again: then all has to be painted anew. Says so once."""
        if not self._behind or self._writer_thread is None or not self._writer_thread._queue.empty():
            return False
        self._behind = False
        # What closed an update may have been among what was dropped.
        self.write("\x1b[?2026l")
        return True

    def close(self) -> None:
        """End the writing thread, with or without a terminal that listens."""
        self._output.end()
        super().close()
        self._output.close()

    def run_input_thread(self) -> None:
        """Read keys until told to stop; what can't be decoded becomes U+FFFD, a key that nothing is bound to."""
        parser = XTermParser(self._debug)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    try:
                        data = os.read(self.fileno, 4096)
                    except OSError:
                        data = b""
                    if not data:
                        # The terminal is gone. The app sees it within a second, if its hang-up signal doesn't come first.
                        self._output.gone = True
                        time.sleep(0.1)
                        continue
                    for event in parser.feed(decoder.decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own size. Exported ``COLUMNS`` and ``LINES`` (some shells do that) stay what they once were."""
        try:
            width, height = os.get_terminal_size(self.fileno)
        except OSError:
            return super()._get_terminal_size()
        return (width, height) if width and height else super()._get_terminal_size()

    def notice_size(self, shown: Size) -> None:
        """Tell the app of the terminal's size where it shows another one: a signal of a resize can get lost."""
        width, height = self._get_terminal_size()
        if (width, height) != shown and width > 0 and height > 0:
            size = Size(width, height)
            self.process_message(Resize(size, size))


def full_screen_possible() -> bool:
    """Whether a full-screen program makes sense here: a real terminal on both ends that isn't ``dumb``."""
    if os.environ.get("TERM", "") in {"", "dumb"}:
        return False
    return all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__))
