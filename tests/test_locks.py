"""A lock against other processes: it says when it waits, and why it cannot be had."""

import errno
import fcntl
import subprocess
import sys
import threading

import pytest

from repinf_core.locks import LockError, lock

MODELS, DATA = "set REPINF_MODELS to", "set REPINF_DATA to"
HOLD = """
import pathlib, sys
from repinf_core.locks import lock

with lock(pathlib.Path(sys.argv[1]), "the training of a model", "set REPINF_MODELS to"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process, which holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLD, tmp_path / "lock"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_that_is_free_is_taken_without_a_word(tmp_path, capsys):
    for _ in range(2):
        with lock(tmp_path / "lock", "the training of a model", MODELS):
            pass
    assert capsys.readouterr().err == ""


def test_who_waits_for_another_process_says_for_what(other, tmp_path, capsys):
    ends = threading.Timer(1.5, other.stdin.close)
    ends.start()
    with lock(tmp_path / "lock", "the training of a model", MODELS):
        assert other.wait(10) == 0  # only then had it the lock
    said = capsys.readouterr().err
    assert "the training of a model" in said
    assert str(tmp_path / "lock") in said
    assert said.count("\n") == 1


def test_a_process_that_is_killed_gives_its_lock_back(other, tmp_path):
    other.kill()
    with lock(tmp_path / "lock", "the training of a model", MODELS):
        pass


def test_a_lock_is_given_back_after_an_error(tmp_path):
    for _ in range(2):  # the second would wait for ever
        with (
            pytest.raises(ZeroDivisionError),
            lock(tmp_path / "lock", "a test", MODELS),
        ):
            _ = 1 / 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_with_the_way_out(tmp_path, monkeypatch, number):
    def refuse(file, operation):
        raise OSError(number, "No locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)  # as such a file system would
    with (
        pytest.raises(LockError) as error,
        lock(tmp_path / "lock", "a test", MODELS),
    ):
        pytest.fail("without a lock nothing is done")
    for part in (str(tmp_path), "a test", "No locks here", MODELS):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_none_is_told_likewise(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "lock"
    with (
        pytest.raises(LockError, match="set REPINF_DATA"),
        lock(path, "a test", DATA),
    ):
        pytest.fail("without a lock nothing is done")
