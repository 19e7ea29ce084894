"""The base class of all errors that a reader can act on."""


class ReaderError(Exception):
    """An error whose message says what is wrong and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Make Jupyter show the message without the traceback, which does not help a reader."""
        return [f"{type(self).__name__}: {self}"]
