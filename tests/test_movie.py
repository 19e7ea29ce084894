"""Movies are what browsers play: H.264, yuv420p, the index first, every frame there."""

import base64
import re
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from repinf_core import movie


def frames(n, height=32, width=48):
    """A bright bar that moves down by two lines a frame."""
    for i in range(n):
        frame = np.zeros((height, width, 3), dtype=np.uint8)
        frame[2 * i : 2 * i + 2] = 255
        yield frame


def decode(path):
    """The frames as raw RGB, and what ffmpeg says of the file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24"]
    done = subprocess.run([*command, "-"], capture_output=True, check=True)
    return done.stdout, done.stderr.decode()


def test_every_frame_is_in_the_movie_in_order(tmp_path):
    path = tmp_path / "bar.mp4"
    assert movie.write(path, frames(12), fps=6) == 12
    raw, log = decode(path)
    assert re.search(r"Video: h264 .*yuv420p.* 48x32.* 6 fps", log)
    decoded = np.frombuffer(raw, np.uint8).reshape(-1, 32, 48, 3)
    assert (decoded.mean((2, 3)).argmax(1) // 2).tolist() == list(range(12))


def test_the_first_frames_of_a_slowed_movie_last_longer():
    frames = [np.full((2, 2, 3), k, np.uint8) for k in range(4)]
    shown = [int(frame[0, 0, 0]) for frame in movie.slow_start(frames, slow=2, times=3)]
    assert shown == [0, 0, 0, 1, 1, 1, 2, 3]


def test_a_larger_rate_factor_makes_a_smaller_movie(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    for crf in (18, 40):
        movie.write(tmp_path / f"{crf}.mp4", noise, fps=4, crf=crf)
    sizes = [(tmp_path / f"{crf}.mp4").stat().st_size for crf in (18, 40)]
    assert sizes[1] < sizes[0] / 2


def test_the_index_comes_before_the_pictures(tmp_path):
    path = tmp_path / "bar.mp4"
    movie.write(path, frames(4), fps=4)
    contents = path.read_bytes()
    assert 0 < contents.index(b"moov") < contents.index(b"mdat")


def test_the_poster_is_the_frame_asked_for(tmp_path):
    movie.write(tmp_path / "bar.mp4", frames(5), fps=5, poster_frame=3)
    poster = np.asarray(Image.open(tmp_path / "bar.png"))
    assert np.array_equal(poster, list(frames(5))[3])


def test_a_slow_start_holds_the_first_frames_and_then_goes_on():
    assert list(movie.slow_start("abcd", slow=2, times=3)) == list("aaabbbcd")
    assert list(movie.slow_start("a", slow=2, times=3)) == list("aaa")  # shorter than its start


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        movie.write(tmp_path / f"{name}.mp4", frames(5), fps=5)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("shape", [(31, 48, 3), (32, 47, 3), (32, 48), (32, 48, 4)])
def test_frames_that_cannot_be_encoded_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match="even, even, 3"):
        movie.write(tmp_path / "bad.mp4", [np.zeros(shape, np.uint8)], fps=5)
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_shape_leaves_no_movie(tmp_path):
    odd = [*frames(2), np.zeros((32, 50, 3), np.uint8)]
    with pytest.raises(ValueError, match=r"Frame 2 has shape \(32, 50, 3\)"):
        movie.write(tmp_path / "bad.mp4", odd, fps=5)
    assert list(tmp_path.iterdir()) == []


def test_a_movie_that_lacks_frames_is_none(tmp_path, monkeypatch):
    """As after ffmpeg was killed or met a full disk: its writer goes on as if nothing were."""

    class Swallowing:
        def __init__(self, path, shape, fps, crf):
            path.write_bytes(b"partial")

        def send(self, frame):
            pass

        def close(self):
            pass

    monkeypatch.setattr(movie, "_writer", Swallowing)
    with pytest.raises(OSError, match="has 0 of its 5 frames"):
        movie.write(tmp_path / "bar.mp4", frames(5), fps=5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("poster_frame", [-1, 5])
def test_a_poster_that_is_no_frame_is_refused(tmp_path, poster_frame):
    with pytest.raises(ValueError, match="allowed is 0 to 4"):
        movie.write(tmp_path / "bar.mp4", frames(5), fps=5, poster_frame=poster_frame)
    assert list(tmp_path.iterdir()) == []


def test_the_element_describes_itself_and_escapes_its_text():
    element = movie.as_html("_static/movies/a.mp4", 'x(t) < "concept" & more')
    for part in (
        "controls muted loop playsinline",
        'preload="metadata"',
        'src="_static/movies/a.mp4"',
        'poster="_static/movies/a.png"',
        'aria-label="x(t) &lt; &quot;concept&quot; &amp; more"',
    ):
        assert part in element
    assert "autoplay" not in element


def test_on_colab_the_movie_is_in_the_element(tmp_path, monkeypatch):
    path = tmp_path / "bar.mp4"
    movie.write(path, frames(3), fps=3)
    monkeypatch.setitem(sys.modules, "google.colab", object())
    element = movie.as_html(path, "a bar")
    (film,) = re.findall(r'src="data:video/mp4;base64,([^"]+)"', element)
    (poster,) = re.findall(r'poster="data:image/png;base64,([^"]+)"', element)
    assert base64.b64decode(film) == path.read_bytes()
    assert base64.b64decode(poster) == (tmp_path / "bar.png").read_bytes()
