"""A file appears whole or not at all: write beside it, then rename."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

# What file systems answer that cannot flush a file at all; others, such as a full disk, are errors.
_NO_FLUSH = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block ends without an error.

    The temporary file lies in the same folder, so the rename is atomic, and is flushed to
    the disk before it; after an error (a full disk, say) it is removed and ``path`` is as
    it was.  A file that was there keeps its permissions; a new one has those that the user's
    umask leaves.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(8)}{path.suffix}")
    temporary.touch(exist_ok=False)
    mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
    try:
        yield temporary
        with open(temporary, "r+b") as written:  # Windows flushes no file that is open to read
            _flush(written.fileno())
        with contextlib.suppress(OSError):  # some file systems know no modes: keep the content
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
