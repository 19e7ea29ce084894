"""A lock for one process at a time, which reports when it waits and why it cannot be acquired."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock

from repinf_core.errors import ReaderError

_SECONDS_WITHOUT_A_WORD = 1


class LockError(ReaderError, OSError):
    """The file system grants no lock."""


@contextlib.contextmanager
def lock(path: Path, what: str, way_out: str) -> Iterator[None]:
    """Hold a lock against other processes; a process that has to wait says so on stderr.

    A process that dies releases its locks.

    Args:
        path: lock file, in a folder that exists.
        what: the work that others wait for, in words ("the training of ...").
        way_out: how to choose another folder, in words ("set REPINF_MODELS to").

    Raises:
        LockError: the folder, or its file system, refuses the lock.
    """
    held = filelock.FileLock(path)
    try:
        try:
            held.acquire(timeout=_SECONDS_WITHOUT_A_WORD)
        except filelock.Timeout:
            told = f"Waiting for {what} in another process, which holds {path}."
            print(told, file=sys.stderr, flush=True)
            held.acquire()
    except (OSError, NotImplementedError) as error:  # the latter from filelock, without flock
        raise LockError(
            f"{path.parent} grants no lock for {what} ({error}); {way_out} a folder on another "
            f"disk."
        ) from error
    try:
        yield
    finally:
        held.release()
