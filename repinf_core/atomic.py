"""Atomic writing: a file appears whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

# Errors of file systems that cannot flush files.  Any other, such as a full disk, is raised.
_NO_FLUSH = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block ends without an error.

    The temporary file lies in the same folder, so that the rename is atomic.  It is flushed to the
    disk before the rename.  After an error, such as a full disk, it is removed and ``path`` is
    unchanged.  An existing file keeps its permissions; a new file gets those that the user's umask
    allows.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(8)}{path.suffix}")
    temporary.touch(exist_ok=False)
    mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
    try:
        yield temporary
        with open(temporary, "r+b") as written:  # Windows cannot flush a file opened for reading
            _flush(written.fileno())
        with contextlib.suppress(OSError):  # some file systems have no modes: keep the content
            temporary.chmod(mode)  # the block may have written another file in its place
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(file: int) -> None:
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
