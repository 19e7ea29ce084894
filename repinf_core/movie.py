"""Write frames as an H.264 movie with a poster, and make the HTML that shows it."""

import base64
import html
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

from repinf_core.atomic import replacing


def write(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: int,
    poster_frame: int = 0,
    crf: int = 23,
) -> int:
    """Write ``path`` (mp4: H.264, yuv420p, faststart) and, beside it, its poster as PNG.

    Args:
        path: path that ends in ``.mp4``; the poster has the same stem.
        frames: ``[height, width, 3]`` uint8 each, all of one shape, with even sides.
        fps: frames per second.
        poster_frame: index of the frame that is shown before the movie plays.
        crf: x264's constant rate factor, 0 to 51: a larger factor gives a smaller, coarser movie.

    Returns:
        number of frames that were written.

    Raises:
        ValueError: there is no such poster frame, or a frame has another shape or an odd side.
        OSError: not all frames could be written, for example because the disk is full.
    """
    path, count, shape, writer = Path(path), 0, None, None
    with replacing(path) as temporary:
        try:
            for frame in frames:
                if writer is None:
                    shape = _even(frame.shape)
                    writer = _writer(temporary, shape, fps, crf)
                if frame.shape != shape:
                    raise ValueError(f"Frame {count} has shape {frame.shape}; allowed is {shape}.")
                writer.send(np.ascontiguousarray(frame))
                if count == poster_frame:
                    poster = Image.fromarray(frame)
                count += 1
        finally:
            if writer is not None:
                writer.close()
        if not 0 <= poster_frame < count:
            raise ValueError(f"Poster frame is {poster_frame}; allowed is 0 to {count - 1}.")
        _check(temporary, count)
    with replacing(path.with_suffix(".png")) as temporary:
        poster.save(temporary, optimize=True)
    return count


def slow_start(
    frames: Iterable[np.ndarray], slow: int = 10, times: int = 5
) -> Iterator[np.ndarray]:
    """The frames, with each of the first ``slow`` repeated ``times`` times to slow them down."""
    for i, frame in enumerate(frames):
        yield from itertools.repeat(frame, times if i < slow else 1)


def _even(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2:
        raise ValueError(f"Frames have shape {shape}; allowed is (even, even, 3).")
    return shape


def _writer(path: Path, shape: tuple[int, ...], fps: int, crf: int):
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (shape[1], shape[0]),
        fps=fps,
        codec="libx264",
        pix_fmt_out="yuv420p",
        macro_block_size=2,
        quality=None,
        output_params=["-crf", str(crf), "-preset", "slow", "-movflags", "+faststart"],
    )
    writer.send(None)
    return writer


def _check(path: Path, count: int) -> None:
    """Check that all frames are there: the writer does not report how ffmpeg ended.

    Raises:
        OSError: frames are missing.
    """
    try:
        found, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    except RuntimeError:
        found = 0
    if found != count:
        raise OSError(f"The movie has {found} of its {count} frames; is the disk full?")


def as_html(path: str | Path, description: str) -> str:
    """The ``<video>`` element of a movie written by :func:`write`, with a text description.

    Args:
        path: path of the mp4, relative to the page.
        description: text for readers who cannot see the movie; also shown below it.
    """
    movie, poster = Path(path), Path(path).with_suffix(".png")
    if "google.colab" in sys.modules:  # an output in Colab cannot load files
        source = _as_data(movie, "video/mp4")
        shown = _as_data(poster, "image/png")
    else:
        source, shown = movie.as_posix(), poster.as_posix()
    text = html.escape(description, quote=True)
    return (
        f'<figure><video controls muted loop playsinline preload="metadata" '
        f'src="{source}" poster="{shown}" '
        f'aria-label="{text}" style="width: 100%; height: auto;"></video>'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _as_data(path: Path, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"
