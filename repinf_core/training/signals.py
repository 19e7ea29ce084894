"""Signals that end a training, which then saves its last complete epoch."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does, instead of ending the process.

    It has an effect only in the main thread, and only if nothing else handles SIGTERM already.
    """
    with _handled([signal.SIGTERM], signal.default_int_handler):
        yield


@contextlib.contextmanager
def first_signal_calls(stop: Callable[[], None]) -> Iterator[None]:
    """Make the first SIGINT or SIGTERM call ``stop``; a second one interrupts at once.

    Raises:
        KeyboardInterrupt: at the end, if a signal was received.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if received:
            signal.default_int_handler(number, frame)
        received.append(number)
        stop()

    with _handled(_DEFAULTS, handle):
        yield
    if received:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _handled(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], Any]
) -> Iterator[None]:
    """Let ``handler`` handle the signals that nothing else handles; only in the main thread."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    ours = [n for n in numbers if in_main_thread and signal.getsignal(n) is _DEFAULTS[n]]
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, _DEFAULTS[number])
