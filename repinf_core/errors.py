"""What all errors share that a reader can act on."""


class ReaderError(Exception):
    """Its message is all that a reader needs: what is wrong, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Jupyter shows the message alone: the frames above it are none of the reader's."""
        return [f"{type(self).__name__}: {self}"]
