import errno
import os
import stat

import pytest

from repinf_core.atomic import replacing


def test_success_replaces_the_old_file(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"  # nothing is seen before the block has ended
    assert path.read_bytes() == b"new"
    assert list(tmp_path.glob("*.bin")) + list(tmp_path.glob(".*.bin")) == [path]


def test_the_temporary_file_lies_beside_the_final_one_and_is_named_otherwise(tmp_path):
    # Only within one folder is a rename sure to be atomic; writers go by the suffix.
    path = tmp_path / "model.safetensors"
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary != path
        assert temporary.suffix == ".safetensors"
        assert not path.exists()
        temporary.write_bytes(b"new")


@pytest.mark.parametrize("old", [b"old", None])
def test_an_error_keeps_the_old_file_and_leaves_no_temporary(tmp_path, old):
    path = tmp_path / "model.bin"
    if old is not None:
        path.write_bytes(old)
    before = sorted(tmp_path.iterdir())

    def fail_halfway():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half of the new")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail_halfway()
    assert sorted(tmp_path.iterdir()) == before
    if old is not None:
        assert path.read_bytes() == old


def test_an_interrupt_leaves_no_temporary(tmp_path):
    def interrupted():
        with replacing(tmp_path / "model.bin") as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    before = list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == before


def test_a_missing_folder_is_created(tmp_path):
    path = tmp_path / "a" / "b" / "model.bin"
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_a_path_may_be_a_string(tmp_path):
    with replacing(str(tmp_path / "results.json")) as temporary:
        temporary.write_text("{}")
    assert (tmp_path / "results.json").read_text() == "{}"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_a_new_file_is_the_umasks_to_say(tmp_path, umask, expected):
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "results.json") as temporary:
            temporary.write_text("{}")
    finally:
        os.umask(before)
    assert mode(tmp_path / "results.json") == expected


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_was_there_keeps_its_permissions(tmp_path, permissions):
    path = tmp_path / "results.json"
    path.write_text("old")
    path.chmod(permissions)
    with replacing(path) as temporary:
        temporary.unlink()  # as a library may that writes a file of its own
        temporary.write_text("new")
        temporary.chmod(0o600)
    assert path.read_text() == "new"
    assert mode(path) == permissions


def refusing(number):
    def refuse(*arguments, **named):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_permissions_keeps_the_work(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "chmod", refusing(number))
    with replacing(tmp_path / "model.bin") as temporary:
        temporary.write_bytes(b"work")
    assert (tmp_path / "model.bin").read_bytes() == b"work"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_flush_keeps_the_work(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", refusing(number))
    with replacing(tmp_path / "model.bin") as temporary:
        temporary.write_bytes(b"work")
    assert (tmp_path / "model.bin").read_bytes() == b"work"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_flush_that_fails_keeps_the_old_file(tmp_path, monkeypatch, number):
    """Some disks say only then that they are full."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", refusing(number))
    with pytest.raises(OSError, match=os.strerror(number)), replacing(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
