"""Manners towards the terminal: input that survives a bad byte, and a crash that shows nothing it shouldn't."""

from __future__ import annotations

import codecs
import os
import selectors
import sys
import time
import traceback
from pathlib import Path

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size

from flagconsole import __version__
from flagconsole.domain.text import safe_text


class TolerantDriver(LinuxDriver):
    """Textual's driver with input that can't be killed by a byte that isn't UTF-8 (a re-attached tmux sends such)."""

    def run_input_thread(self) -> None:
        """Read keys until told to stop; what can't be decoded becomes U+FFFD, a key that nothing is bound to."""
        parser = XTermParser(self._debug)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = os.read(self.fileno, 4096)
                    if not data:
                        # The terminal is gone; its hang-up signal ends the program.
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


def write_crash_log(folder: Path, error: BaseException | None, secrets: tuple[str, ...] = ()) -> Path | None:
    """Write what happened, without local variables and secrets, to a file that only its owner can read.

    Returns the file, or None where it can't be written.
    """
    lines = "".join(traceback.format_exception(error)) if error is not None else "no exception is known\n"
    for secret in secrets:
        lines = lines.replace(secret, "(hidden)") if secret else lines
    text = "\n".join(safe_text(line, 2000) for line in lines.splitlines())
    path = folder / "crash.log"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            file.write(f"{moment} flagconsole {__version__} python {sys.version.split()[0]}\n{text}\n\n")
    except OSError:
        return None
    return path


def crash_line(error: BaseException | None, log: Path | None) -> str:
    """The one line that is shown after a crash: which kind of error, and where the rest is."""
    kind = type(error).__name__ if error is not None else "an unknown error"
    where = f"details are in {log}" if log is not None else "its log could not be written"
    return f"flagconsole ended on {kind}; nothing more was sent. {where}"
