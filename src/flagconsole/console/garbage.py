"""When Python looks for garbage. What is loaded once and stays (modules, classes, a listing) is looked through again and again
otherwise, a tenth of a second each time: between a key and its paint that is felt.
"""

from __future__ import annotations

import gc

_held_off = False


def hold_off() -> None:
    """Look for none while the console starts: nearly all that is made then stays. Only for a process that is a console."""
    global _held_off
    _held_off = True
    gc.disable()


def settle() -> None:
    """What is there by now stays: look for garbage only in what is made from now on. Does nothing before ``hold_off``."""
    if _held_off:
        gc.freeze()
        gc.enable()
