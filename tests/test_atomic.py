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


def test_a_path_may_be_a_string_and_others_may_read_the_file(tmp_path):
    with replacing(str(tmp_path / "results.json")) as temporary:
        temporary.write_text("{}")
    assert (tmp_path / "results.json").stat().st_mode & 0o777 == 0o644
