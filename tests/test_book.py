"""The book is built from its sources, says so when it cannot, and reads without a network."""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import build
import contrast
import edition
import execution
import folders
import imageio_ffmpeg
import nbformat
import playground_data
import pytest
import rewrite
import yaml
from check import problems, unchecked
from distributed import LocalCluster

from repinf_core import profiles
from repinf_core.locks import LockError
from repinf_core.training.checkpoint import CheckpointError

ROOT = Path(__file__).parents[1]
BUILD = [sys.executable, ROOT / "book" / "build.py"]


def run(*arguments):
    return subprocess.run([*BUILD, *map(str, arguments)], capture_output=True, text=True)


def test_the_build_leaves_pages_results_and_a_sound_book(smoke_book):
    contents = yaml.safe_load((ROOT / "book" / "pages.yml").read_text())
    names = sorted(
        name for name, page in contents.items() if "smoke" in page.get("profiles", ["smoke"])
    )
    assert sorted(p.stem for p in (smoke_book.out / "pages").glob("*.ipynb")) == names
    assert sorted(p.stem for p in (smoke_book.out / "results").glob("*.json")) == names
    html = smoke_book.out / "html"
    assert problems(html) == []
    assert f"[{len(names)}/{len(names)}]" in smoke_book.printed
    assert str(html / "index.html") in smoke_book.printed
    index = (html / "intro.html").read_text()
    assert "of 10 labels" in index  # the front page tells what this edition found
    assert (
        'src="_static/movies/02_repeated_inference.mp4"'
        in (html / "02_repeated_inference.html").read_text()
    )


@pytest.mark.slow
def test_a_build_that_is_terminated_leaves_nothing_at_work(tmp_path):
    out = tmp_path / "book"
    pages = ["--pages", "01_model", "07_latent_dimension", "12_performance", "--jobs", "2"]
    with subprocess.Popen(
        [*BUILD, "--profile", "smoke", "--out", out, *pages],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            # The first page is executed alone, of the others one by each of two processes.
            assert child.stdout.readline().startswith("[1/3] 01_model")
            assert child.stdout.readline().startswith("[2/3] 12_performance")
            child.send_signal(signal.SIGTERM)
            _, told = child.communicate(timeout=60)  # as long as a process of the build lives
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 130
    assert told == "Stopped; executed pages are kept, and the same command goes on.\n"
    kept = sorted(path.stem for path in (out / "pages").glob("*.ipynb"))
    assert kept == ["01_model", "12_performance"]


def test_pages_name_no_place_of_the_machine(smoke_book):
    for path in (smoke_book.out / "pages").glob("*.ipynb"):
        text = path.read_text()
        assert str(smoke_book.out) not in text
        assert str(ROOT) not in text
        assert "papermill" not in nbformat.read(path, 4).metadata


def copy(smoke_book, tmp_path):
    return shutil.copytree(smoke_book.out, tmp_path / "book")


def test_what_was_executed_is_not_executed_again(smoke_book, tmp_path):
    out = copy(smoke_book, tmp_path)
    pages = edition.plan("smoke", {}, None)
    assert all(page.is_executed(out) for page in pages)
    other = edition.plan("smoke", {"n_z": 11}, None)
    kept = {page.name for page in other if page.is_executed(out)}
    # These take no N_z: one has a grid of them, one is of the paper's network, and the companion's
    # convolutional networks have channels instead.
    assert kept == {
        "08_generalization",
        "12_performance",
        "30_autoencoder_variants",
        "31_latent_manifolds",
    }
    (out / "results" / "01_model.json").unlink()
    (out / "_static" / "movies" / "02_repeated_inference.mp4").unlink()
    (out / "pages" / "04_cluster_centers.ipynb").write_text("{ cut off")
    lacking = [page.name for page in pages if not page.is_executed(out)]
    # The last judged the claims by the results of the page before it.
    assert lacking == ["01_model", "02_repeated_inference", "04_cluster_centers", "11_claims"]


def test_another_source_is_another_page(tmp_path):
    (page, *_) = edition.plan("smoke", {}, None)
    before = page.fingerprint(tmp_path)
    edited = tmp_path / page.notebook.name
    edited.write_text(page.notebook.read_text().replace("Methods", "Method"))
    assert edition.Page(page.name, edited, page.parameters).fingerprint(tmp_path) != before


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Whether another page is made once ``old`` in a file of the project is ``new``."""
    for folder in ("repinf_core", "notebooks", "benchmarks"):
        without = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without)
    monkeypatch.setattr(edition, "ROOT", tmp_path)

    def edited(page, file, old="", new="\n"):
        before = page.fingerprint(tmp_path)
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new) if old else text + new)
        return page.fingerprint(tmp_path) != before

    return edited


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("01_model", "repinf_core/weights/manifest.json"),
        ("08_generalization", "repinf_core/weights/sweeps.csv"),
        ("10_readings", "repinf_core/weights/sweeps.csv"),
        ("10_readings", "repinf_core/weights/shorter_trainings.json"),
        ("12_performance", "benchmarks/results/training.json"),
    ],
)
def test_another_model_or_file_that_a_page_reads_is_another_page(edited, name, file):
    (page,) = edition.plan("smoke", {}, [name])
    assert edited(page, file)


def test_every_file_that_a_page_reads_is_there():
    for page in edition.plan("paper", {}, None):
        for pattern in page.files:
            assert [*ROOT.glob(pattern)], (page.name, pattern)


def test_a_core_that_computes_something_else_is_another_page(edited):
    (page,) = edition.plan("smoke", {}, ["04_cluster_centers"])
    rollout = "repinf_core/dynamics/rollout.py"
    assert not edited(page, rollout, "Infer repeatedly", "Infer again and again")
    assert not edited(page, "repinf_core/cli.py", new="X = 1\n")  # of which it uses nothing
    assert edited(page, rollout, "else 1024)", "else 512)")


@pytest.mark.parametrize("library", ["numpy", "pandas", "scikit-learn", "scipy", "torch"])
def test_another_version_of_a_library_that_computes_is_another_page(tmp_path, monkeypatch, library):
    (page, *_) = edition.plan("smoke", {}, None)
    before = page.fingerprint(tmp_path)
    installed = {library: "0.1"}
    monkeypatch.setattr(edition, "version", lambda name: installed.get(name) or version(name))
    assert page.fingerprint(tmp_path) != before


def notebook(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_a_failing_page_is_named_and_the_finished_ones_stay(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    good = notebook(tmp_path / "good.ipynb", "profile: str = 'smoke'", "print('fine')")
    bad = notebook(tmp_path / "bad.ipynb", "profile: str = 'smoke'", "raise OSError('disk full')")
    pages = [
        edition.Page("bad", bad, {"profile": "smoke"}),
        edition.Page("good", good, {"profile": "smoke"}),
    ]
    with pytest.raises(edition.BuildError, match=r"Page bad failed in cell 2 \(OSError: disk full"):
        execution.execute_all(pages, out, jobs=1, force=False)
    assert [path.name for path in (out / "pages").iterdir()] == ["good.ipynb"]
    assert (out / "failed" / "bad.ipynb").exists()
    assert "good" in capsys.readouterr().out


def test_an_executed_page_tells_its_sources(tmp_path):
    out = tmp_path / "out"
    (out / "results").mkdir(parents=True)
    made = notebook(tmp_path / "a.ipynb", "page: str = 'a'", "from repinf_core import atomic")
    page = edition.Page("a", made, {"page": "a"})
    execution.execute(page, out)
    told = nbformat.read(out / "pages" / "a.ipynb", 4).metadata["sources"]
    assert set(told) == {"a.ipynb", "repinf_core/__init__.py", "repinf_core/atomic.py"}
    assert told == page.sources()


COUNTS = """\
import json, pathlib
read = [json.loads(pathlib.Path(f"results/{p}.json").read_text())["n"] for p in ran]
path = pathlib.Path(f"results/{page}.json")
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps({"n": sum(read) + n, "read": len(read)}))
"""


def counting(tmp_path, name, n, reads=()):
    """A page that sums what the pages it reads left, and its own n."""
    cell = f"page: str = '{name}'\nran: list = []\nn: int = {n}"
    made = notebook(tmp_path / f"{name}.ipynb", cell, COUNTS)
    return edition.Page(name, made, {"page": name}, reads)


def count(out, name="z"):
    return json.loads((out / "results" / f"{name}.json").read_text())


def test_a_page_does_not_name_the_folder_in_which_a_machine_keeps_its_models(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    tell = "from repinf_core.training import store\nprint('kept in', store.models_folder())"
    made = notebook(
        tmp_path / "a.ipynb", "page: str = 'a'\nran: list = []\nn: int = 1", COUNTS, tell
    )
    execution.execute_all([edition.Page("a", made, {"page": "a"})], out, jobs=1, force=False)
    *_, cell = nbformat.read(out / "pages" / "a.ipynb", 4).cells
    assert cell.outputs[0].text == "kept in the model store\n"


def test_a_page_that_reads_others_comes_after_them_and_again_when_they_change(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    a, b, absent = (counting(tmp_path, name, n) for name, n in (("a", 1), ("b", 10), ("c", 5)))
    reader = counting(tmp_path, "z", 0, (a, b, absent))
    reader_of_it = counting(tmp_path, "zz", 0, (reader,))
    execution.execute_all([reader_of_it, reader, a, b], out, jobs=1, force=False)
    assert count(out)["read"] == 2
    order = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert order == ["a:", "b:", "z:", "zz:"]
    execution.execute_all([reader_of_it, reader, a, b], out, jobs=1, force=False)
    assert capsys.readouterr().out.count("executed before") == 4
    # Another number in what it reads, and it is another page.
    b = counting(tmp_path, "b", 20)
    before = reader.fingerprint(out)
    execution.execute_all([reader, a, b], out, jobs=1, force=False)
    assert "a: executed before" in capsys.readouterr().out
    assert reader.fingerprint(out) != before
    assert reader.is_executed(out)
    assert not reader_of_it.is_executed(out)
    assert count(out)["n"] > count(out, "b")["n"] >= 20


def test_long_pages_are_begun_first_but_for_the_one_that_trains(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    model, long, short, longer, shorter = (counting(tmp_path, name, 1) for name in "abcde")
    long, longer = (dataclasses.replace(page, long=True) for page in (long, longer))
    pages = [model, long, short, longer, shorter]
    execution.execute_all(pages, out, jobs=1, force=False)
    order = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert order == ["a:", "d:", "b:", "e:", "c:"]  # later chapters first, as ever


def test_a_page_whose_reading_failed_is_not_executed(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    bad = notebook(tmp_path / "bad.ipynb", "profile: str = 'smoke'", "1 / 0")
    bad, a = edition.Page("bad", bad, {}), counting(tmp_path, "a", 1)
    pages = [counting(tmp_path, "z", 0, (bad, a)), bad, a]
    with pytest.raises(edition.BuildError, match=r"\nPage z reads what failed: bad\.$"):
        execution.execute_all(pages, out, jobs=1, force=False)
    assert [path.name for path in (out / "results").iterdir()] == ["a.json"]


def test_a_cluster_executes_pages_in_their_order(tmp_path):
    """Two workers over TCP, in processes that have never heard of this book."""
    out = tmp_path / "out"
    out.mkdir()
    a, b = counting(tmp_path, "a", 1), counting(tmp_path, "b", 10)
    pages = [counting(tmp_path, "z", 0, (a, b)), a, b]
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            protocol="tcp://",
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as workers,
        execution.cluster(workers.scheduler_address),
    ):
        execution.execute_all(pages, out, jobs=1, force=False)
        elsewhere = [counting(tmp_path, "c", 1)]
        with pytest.raises(edition.BuildError, match="must share these folders"):
            execution.execute_all(elsewhere, tmp_path / "absent", jobs=1, force=False)
    assert count(out)["read"] == 2
    assert all(page.is_executed(out) for page in pages)


@pytest.mark.slow
def test_an_address_without_a_scheduler_is_refused(tmp_path):
    with (
        pytest.raises(edition.BuildError, match=r"^No dask scheduler answers at tcp://127\.0"),
        execution.cluster("tcp://127.0.0.1:1"),
    ):
        pass


def test_a_page_of_another_edition_is_made_when_asked_for_by_name(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "pages.yml").write_text(
        "first: {notebook: 01_model.ipynb, parameters: {}}\n"
        "of_paper: {notebook: 01_model.ipynb, parameters: {seed: 1}, profiles: [paper]}\n"
        "last: {notebook: 04_cluster_centers.ipynb, parameters: {}, reads: [first, of_paper]}\n"
    )
    monkeypatch.setattr(edition, "BOOK", tmp_path)

    def names(*arguments, **others):
        return [page.name for page in edition.plan(*arguments, **others)]

    assert names("quick", {}, None) == ["first", "last"]
    assert names("paper", {}, None) == ["first", "of_paper", "last"]
    assert names("quick", {}, ["of_paper"]) == ["of_paper"]
    assert names("quick", {}, ["of_paper"], others=True) == ["first", "of_paper", "last"]
    assert names("quick", {}, ["last", "first", "last"]) == ["first", "last"]
    *_, last = edition.plan("quick", {}, None)
    assert [page.name for page in last.reads] == ["first", "of_paper"]


def test_results_that_are_not_the_page_s_own_make_it_another(tmp_path):
    """As a later run leaves them that failed after it had written its own."""
    out = tmp_path / "out"
    out.mkdir()
    a = counting(tmp_path, "a", 1)
    execution.execute_all([a], out, jobs=1, force=False)
    assert a.is_executed(out)
    (out / "results" / "a.json").write_text('{"n": 2, "read": 0}')
    assert not a.is_executed(out)


def test_a_movie_that_is_not_the_page_s_own_makes_it_another(tmp_path):
    """As a later run leaves one that failed before it had written its results."""
    out, movie = tmp_path / "out", "_static/movies/a.mp4"
    out.mkdir()
    movies = f"import pathlib\nmovie = pathlib.Path('{movie}')\n"
    movies += "movie.parent.mkdir(parents=True)\nmovie.write_bytes(b'its own')"
    parameters = "page: str = 'a'\nran: list = []\nn: int = 1"
    made = notebook(tmp_path / "a.ipynb", parameters, COUNTS, movies)
    page = edition.Page("a", made, {"page": "a"})
    execution.execute_all([page], out, jobs=1, force=False)
    assert page.is_executed(out)
    (out / movie).write_bytes(b"another's")
    assert not page.is_executed(out)


def test_results_of_other_parameters_are_not_read(tmp_path):
    """They lie in the folder, whole, and are of another edition."""
    out = tmp_path / "out"
    out.mkdir()
    a, b = counting(tmp_path, "a", 1), counting(tmp_path, "b", 10)
    execution.execute_all([a, b], out, jobs=1, force=False)
    other = dataclasses.replace(a, parameters=a.parameters | {"n": 2})
    reader = counting(tmp_path, "z", 0, (other, b))
    execution.execute_all([reader], out, jobs=1, force=False)
    assert count(out) == {"n": 10, "read": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "fast"), ["profile", "'fast'", "smoke, quick, paper"]),
        (("-p", "n_z", "0"), ["n_z", "0", "an integer from 1"]),
        (("-p", "nz", "7"), ["nz", "7", "n_z"]),
        (("--pages", "05_unheard"), ["05_unheard", "04_cluster_centers"]),
        (("-p", "profile", "smoke"), ["--profile"]),
        (("--pages", "01_model", "-p", "p", "0.1"), ["p", "none of these pages"]),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(tmp_path, arguments, said):
    refused = run(*arguments, "--out", tmp_path / "out")
    assert refused.returncode != 0
    (line,) = refused.stderr.strip().splitlines()
    for part in said:
        assert part in line
    assert not (tmp_path / "out").exists()


def test_no_jobs_are_refused():
    refused = run("--jobs", "0")
    assert refused.returncode != 0
    assert "--jobs is 0; allowed is an integer from 1" in refused.stderr


def test_a_kernel_that_dies_is_a_failed_page(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    killed = notebook(tmp_path / "bad.ipynb", "profile: str = 'smoke'", "import os; os._exit(9)")
    with pytest.raises(edition.BuildError, match=r"Page bad failed \(DeadKernelError"):
        execution.execute(edition.Page("bad", killed, {"profile": "smoke"}), out)


@pytest.mark.parametrize("error", [RuntimeError("Kernel didn't respond"), OSError("disk full")])
@pytest.mark.parametrize("place", ["papermill.execute_notebook", "_keep"])
def test_whatever_stops_a_page_is_a_failure_of_that_page_alone(tmp_path, monkeypatch, error, place):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: None)
    monkeypatch.setattr(place if "." in place else f"execution.{place}", fail)
    page = edition.Page("a", notebook(tmp_path / "a.ipynb", "profile: str = 'smoke'", "1"), {})
    assert str(error) in execution._attempt(page, tmp_path)


@pytest.mark.parametrize("content", [b"{ cut off", b"[]", b"{}", '{"metadata": "ä'.encode()[:-1]])
def test_a_damaged_page_was_not_executed(tmp_path, content):
    page = edition.Page("a", notebook(tmp_path / "a.ipynb", "profile: str = 'smoke'", "1"), {})
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.ipynb").write_bytes(content)
    assert not page.is_executed(tmp_path)


def test_the_rendered_book_replaces_nothing_but_an_earlier_one(tmp_path):
    out = tmp_path / "out"
    foreign, file, empty, earlier = (tmp_path / name for name in ("site", "a", "empty", "book"))
    for folder in (foreign, empty, earlier):
        folder.mkdir()
    (foreign / "index.html").write_text("somebody's")
    file.write_text("somebody's")
    (earlier / folders.MARKER).write_text("")
    sources = (build.BOOK, build.BOOK.parent, build.BOOK / "pages")
    for html in (out, tmp_path, out / "pages", out / "results" / "html", *sources, foreign, file):
        with pytest.raises(edition.BuildError, match=r"^The rendered book would replace [^;]*;"):
            folders.check_html(html, out)
    for html in (out / "html", tmp_path / "new", empty, earlier):
        folders.check_html(html, out)


def test_somebodys_site_is_refused_before_any_page_and_stays(tmp_path):
    """Also what lies where earlier versions kept the sources of the rendered book."""
    site, beside = tmp_path / "site", tmp_path / "site-source"
    for path in (site / "index.html", beside / "_static" / "a.css"):
        path.parent.mkdir(parents=True)
        path.write_text("somebody's")
    out = tmp_path / "out"
    refused = run("--profile", "smoke", "--pages", "01_model", "--out", out, "--html", site)
    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()
    assert str(site) in line
    assert not out.exists()
    assert (site / "index.html").read_text() == "somebody's"
    assert (beside / "_static" / "a.css").read_text() == "somebody's"


def test_what_is_written_there_while_pages_are_executed_stays_too(tmp_path):
    html, rendered = tmp_path / "html", tmp_path / "rendered"
    folders.check_html(html, tmp_path / "out")
    for folder in (html, rendered):
        folder.mkdir()
        (folder / "index.html").write_text(folder.name)
    with pytest.raises(edition.BuildError, match="would replace"):
        folders.replace(html, rendered, tmp_path / "out")
    assert (html / "index.html").read_text() == "html"


def test_a_rendered_book_is_replaced_whole_by_the_next(tmp_path):
    html = tmp_path / "html"
    for name in ("first", "second"):
        rendered = tmp_path / "rendered"
        rendered.mkdir()
        (rendered / f"{name}.html").write_text(name)
        folders.replace(html, rendered, tmp_path / "out")
        assert {path.name for path in html.iterdir()} == {f"{name}.html", folders.MARKER}
    assert [path.name for path in tmp_path.iterdir()] == ["html"]


def test_a_book_of_an_earlier_version_at_the_default_place_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "BOOK", tmp_path)
    html = tmp_path / "_build" / "quick" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("")
    with pytest.raises(edition.BuildError, match=r"earlier version .* by hand\.$"):
        folders.check_html(html, html.parent)
    assert (html / "index.html").exists()


@pytest.mark.parametrize("damaged", ["pages/01_model.ipynb", "results/01_model.json"])
@pytest.mark.parametrize("content", ["{ cut off", "[]", "{}"])
def test_a_book_that_cannot_be_rendered_leaves_the_earlier_one(tmp_path, damaged, content):
    out, html = tmp_path / "out", tmp_path / "html"
    for folder in (out / "pages", out / "results", html):
        folder.mkdir(parents=True)
    (html / "index.html").write_text("earlier")
    (html / folders.MARKER).write_text("")
    notebook(out / "pages" / "01_model.ipynb", "1")
    (out / "results" / "01_model.json").write_text('{"finding": "It is."}')
    (out / damaged).write_text(content)
    (page,) = edition.plan("smoke", {}, ["01_model"])
    with pytest.raises(edition.BuildError, match=r"^Page 01_model [^.]*damaged[^.]*\.$"):
        build.render(out, [page], html, strict=False)
    assert (html / "index.html").read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "html"}


def test_copies_of_files_without_write_permissions_can_be_written(tmp_path):
    source, copied = tmp_path / "_static", tmp_path / "copy"
    (source / "movies").mkdir(parents=True)
    for path in (source / "a.css", source / "movies" / "a.mp4"):
        path.write_text(path.name)
        path.chmod(0o444)
    for folder in (source / "movies", source):
        folder.chmod(0o555)
    folders.copy_writable(source, copied)
    for path in (copied, copied / "movies", copied / "a.css", copied / "movies" / "a.mp4"):
        assert path.stat().st_mode & 0o200, path
    assert (copied / "movies" / "a.mp4").read_text() == "a.mp4"


def test_a_second_build_of_an_output_waits_and_says_so(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    command = [*BUILD, "--profile", "smoke", "--pages", "01_model", "--out", out]
    with (
        folders.output_lock(out),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as second,
    ):
        assert second.stderr.readline().startswith(f"Waiting for a build of {out} in another")
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=60) == 130
    assert not (out / "pages").exists()


def test_a_second_build_of_one_rendered_book_goes_on_after_the_first(smoke_book, tmp_path):
    html = tmp_path / "html"
    command = [*BUILD, "--profile", "smoke", "--read", "--out", smoke_book.out, "--html", html]
    with folders.html_lock(html):
        second = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert second.stderr.readline().startswith(f"Waiting for a build of {html} in another")
        assert not html.exists()
    _, told = second.communicate(timeout=300)
    assert second.returncode == 0, told
    assert problems(html) == []


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_in_one_sentence(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    refusal = rf"^{tmp_path} grants no lock .*; give as --out a folder on another disk\.$"
    with pytest.raises(LockError, match=refusal), folders.output_lock(tmp_path):
        pass


def test_make_clean_leaves_an_environment_that_was_named():
    make = ["make", "--dry-run", "-C", ROOT, "clean", "VENV=/somebody/s"]
    printed = subprocess.run(make, capture_output=True, text=True, check=True).stdout
    assert "book/_build" in printed
    assert "/somebody/s" not in printed


def test_folders_in_the_environment_are_relative_to_where_the_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPINF_MODELS", "models")
    monkeypatch.setenv("REPINF_DATA", "")
    monkeypatch.setattr(sys, "argv", ["build.py", "--read", "--out", "none"])
    with pytest.raises(SystemExit, match="holds no page"):
        build.main()
    assert os.environ["REPINF_MODELS"] == str(tmp_path / "models")
    assert os.environ["REPINF_DATA"] == ""


def test_an_error_of_the_core_ends_the_build_in_its_sentence(monkeypatch, tmp_path):
    """As of a damaged model, which the playground reads when all pages are executed."""

    def damaged(*_):
        raise CheckpointError("The model is damaged; delete it.")

    monkeypatch.setattr(playground_data, "of_edition", damaged)
    monkeypatch.setattr(sys, "argv", ["build.py", "--read", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^The model is damaged; delete it\.$"):
        build.main()


def test_a_page_of_another_edition_stays_out_and_links_to_it_are_text(smoke_book, tmp_path):
    out = copy(smoke_book, tmp_path)
    shutil.rmtree(out / "html")
    pages = edition.plan("smoke", {}, None)
    other = next(page for page in pages if page.name == "04_cluster_centers")
    path = out / "pages" / "04_cluster_centers.ipynb"
    path.write_text(path.read_text().replace(other.fingerprint(out), "of another edition"))
    chosen = build.shown(pages, out, read=False)
    # The claims were judged with that page's results, so their page is not of this edition too.
    assert {p.name for p in pages} - {p.name for p in chosen} == {other.name, "11_claims"}
    assert build.shown(pages, out, read=True) == pages
    html = tmp_path / "elsewhere" / "html"
    html.parent.mkdir()
    build.render(out, chosen, html, strict=False)
    assert not (html / "04_cluster_centers.html").exists()
    assert "04_cluster_centers" not in (html / "intro.html").read_text()
    assert "the page of cluster centres" in (html / "07_latent_dimension.html").read_text()
    assert problems(html) == []


def page_of(markdown):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(markdown)])


@pytest.mark.parametrize(
    ("prefix", "names", "expected"),
    [
        ("", ["01_a", "fashion_01_a"], "see [a](01_a.ipynb)."),
        ("fashion_", ["01_a", "fashion_01_a"], "see [a](fashion_01_a.ipynb)."),
        ("fashion_", ["01_a"], "see [a](01_a.ipynb)."),
        ("fashion_", [], "see a."),
    ],
)
def test_a_page_links_to_those_of_its_own_dataset_where_there_are_such(prefix, names, expected):
    (cell,) = rewrite.with_links(page_of("see [a](01_a.ipynb)."), prefix, names).cells
    assert cell.source == expected


def test_no_link_of_a_page_leads_to_one_that_is_not_in_the_book():
    """Nor one whose text goes over a line's end, which a notebook's file writes as two strings."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        alone = rewrite.with_links(nbformat.read(path, 4), "", [path.stem])
        for cell in alone.cells:
            if cell.cell_type == "markdown":
                assert not re.search(r"\]\(\w+\.ipynb\)", cell.source), path.name


def executed_page(prose, label):
    """A page that says ``prose`` wherever a page holds Markdown, and elsewhere what looks alike."""
    alike = "[a](01_a.ipynb) fig-b eq-c"
    outputs = [
        nbformat.v4.new_output("stream", text=alike),
        nbformat.v4.new_output(
            "display_data", {"text/markdown": prose, "text/plain": alike, "text/html": alike}
        ),
        nbformat.v4.new_output("execute_result", {"image/png": "fig-abc="}, execution_count=1),
    ]
    figure = {"figure": {"name": label, "caption": prose}, "image": {"alt": alike}}
    cells = [
        nbformat.v4.new_markdown_cell(prose, id="prose"),
        nbformat.v4.new_code_cell(
            f"print('{alike}')", id="code", outputs=outputs, metadata={"mystnb": figure}
        ),
        nbformat.v4.new_raw_cell(alike, id="raw"),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata={"title": alike})


def test_links_are_those_of_prose_and_code_and_other_outputs_stay():
    page = executed_page('See ["a\nb"](01_a.ipynb), [c](02_c.ipynb).', "fig-b")
    found = rewrite.with_links(page, "fashion_", ["fashion_01_a"])
    assert found == executed_page('See ["a\nb"](fashion_01_a.ipynb), c.', "fig-b")


def test_a_second_page_of_a_notebook_has_labels_of_its_own_and_else_is_the_same():
    prose = "{numref}`fig-b` and\n{eq}`eq-c-2`:\n```{math}\n:label: eq-c-2\nx = fig\n```"
    own = (
        "{numref}`fig-fashion-01-a-b` and\n{eq}`eq-fashion-01-a-c-2`:\n"
        "```{math}\n:label: eq-fashion-01-a-c-2\nx = fig\n```"
    )
    found = rewrite.with_own_labels(executed_page(prose, "fig-b"), "fashion_01_a")
    assert found == executed_page(own, "fig-fashion-01-a-b")


def test_a_second_page_of_a_notebook_has_the_heading_of_the_table_of_contents():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, 4)
        found = rewrite.with_title(notebook, "Fashion-MNIST: it")
        heading, _, rest = notebook.cells[0].source.partition("\n")
        assert re.fullmatch("# .+", heading)
        assert found.cells[0].source == f"# Fashion-MNIST: it\n{rest}"
        assert found.cells[1:] == notebook.cells[1:]


def test_a_folder_without_pages_has_none_to_show(tmp_path):
    with pytest.raises(edition.BuildError, match="holds no page of this edition"):
        build.shown(edition.plan("smoke", {}, None), tmp_path, read=True)


def test_a_page_that_could_not_have_its_data_is_executed_again(tmp_path, capsys):
    cell = """import json, os
os.makedirs("results", exist_ok=True)
with open("results/a.json", "w") as file:
    json.dump({"results": {"lacks_data": not os.path.exists("data")}}, file)
"""
    page = edition.Page("a", notebook(tmp_path / "a.ipynb", cell), {})
    out = tmp_path / "out"
    out.mkdir()
    for executed in (True, True, False):  # the data come before the second time
        execution.execute_all([page], out, jobs=1, force=False)
        assert ("executed before" not in capsys.readouterr().out) == executed
        (out / "data").touch()


@pytest.mark.parametrize(
    ("name", "parameter", "other"),
    [("fashion_07_latent_dimension", "dataset", "digits"), ("01_model", "recompute", "maybe")],
)
def test_what_cannot_be_had_is_refused_before_any_page(name, parameter, other):
    refusal = rf"^Parameter {parameter} is '{other}'; [^.]*\.$"
    with pytest.raises((edition.BuildError, profiles.ParameterError), match=refusal):
        edition.plan("paper", {parameter: other}, [name])


def test_the_published_editions_smaller_grid_gives_way_to_the_command_lines():
    name = "fashion_07_latent_dimension"
    (page,) = edition.plan("paper", {"dataset": "fashion_mnist"}, [name])
    assert page.parameters["n_z_grid"] == [2, 20, 100]
    (page,) = edition.plan("paper", {"n_z_grid": [2, 5]}, [name])
    assert page.parameters["n_z_grid"] == [2, 5]


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(edition.BuildError, match=r"cannot be written \(.*\); give .* as --out\.$"):
        folders.make_writable(tmp_path / "file" / "out", "--out")
    folders.make_writable(tmp_path / "a" / "b", "--out")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_parameter_goes_to_the_pages_that_take_it():
    model, inference, *_ = edition.plan("smoke", {"p": 0.1, "n_z": 3}, None)
    assert model.parameters == {"profile": "smoke", "page": "01_model", "n_z": 3}
    assert inference.parameters["p"] == 0.1
    with pytest.raises(profiles.ParameterError):
        edition.plan("smoke", {"p": 2}, None)


BROKEN = {
    "script from a network": '<script src="https://cdn.example/x.js"></script>',
    "style from a network": '<link rel="stylesheet" href="//cdn.example/x.css">',
    "image from a network": '<img alt="a badge" src="http://example.org/badge.svg">',
    "image that is not there": '<img alt="a figure" src="_images/lost.png">',
    "image without a text": '<img src="data:image/png;base64,AAAA">',
    "movie that is none": '<video controls aria-label="a" src="m.mp4" poster="m.png"></video>',
    "failed cell": '<div class="output traceback highlight-ipythontb"></div>',
    "object that is named": '<div class="output text_plain"><pre>&lt;a.B object&gt;</pre></div>',
    "link to a page that is not there": '<a href="lost.html">the page</a>',
    "link to a place that is not there": '<a href="#lost">the place</a>',
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_page_is_found(tmp_path, case):
    (tmp_path / "m.mp4").write_bytes(b"not a movie")
    (tmp_path / "m.png").write_bytes(b"")
    sound = '<a href="https://example.org">a link may leave</a><script src="m.png"></script>'
    (tmp_path / "index.html").write_text(sound)
    assert problems(tmp_path) == []
    (tmp_path / "index.html").write_text(sound + BROKEN[case])
    assert len(problems(tmp_path)) == 1


def test_a_movie_without_a_description_is_found(smoke_book, tmp_path):
    shutil.copy(smoke_book.out / "_static/movies/02_repeated_inference.mp4", tmp_path / "m.mp4")
    element = '<video controls src="m.mp4" poster="m.mp4" aria-label="what is seen"></video>'
    (tmp_path / "index.html").write_text(element)
    assert problems(tmp_path) == []
    (tmp_path / "index.html").write_text(element.replace("aria-label", "title"))
    assert len(problems(tmp_path)) == 1


def test_a_style_that_fetches_is_found(tmp_path):
    (tmp_path / "index.html").write_text("")
    (tmp_path / "a.css").write_text("@import url(https://fonts.example/css);")
    assert len(problems(tmp_path)) == 1
    assert problems(tmp_path / "nothing") == [f"{tmp_path / 'nothing'} holds no index.html"]


@pytest.mark.parametrize("environment", ["names a file that is not there", "has none"])
def test_without_an_ffmpeg_a_book_is_sound_and_what_was_not_checked_is_told(
    tmp_path, monkeypatch, environment
):
    def no_ffmpeg():
        raise RuntimeError("No ffmpeg exe could be found.")

    (tmp_path / "m.mp4").write_bytes(b"a movie, for all one can tell")
    element = '<video controls src="m.mp4" poster="m.mp4" aria-label="what is seen"></video>'
    (tmp_path / "index.html").write_text(element)
    assert len(problems(tmp_path)) == 1
    assert unchecked(tmp_path) == []
    if environment == "has none":
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", no_ffmpeg)
    else:
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "ffmpeg"))
    assert problems(tmp_path) == []
    (line,) = unchecked(tmp_path)
    assert "ffmpeg" in line
    (tmp_path / "m.mp4").unlink()
    assert problems(tmp_path) != []
    assert unchecked(tmp_path) == []


THEME = """
html[data-theme=light]{--pst-color-background:#fff;--pst-color-text-base:#222832}
html[data-theme="dark"] { --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }
html[data-theme=dark]{--pst-color-link:var(--pst-color-text-base)}
html[data-theme=light]{--pst-color-link:#000}
"""


# Of greys on white #767676 is the lightest that is legible, with 4.54.
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (".a { color: #767676; background: white; }", []),
        (".a { color: #777; background: white; }", ["4.48 in the light", "4.48 in the dark"]),
        (".a { color: black; background-color: rgb(255, 255, 255) !important }", []),
        (".a { color: var(--pst-color-link); background: black }", ["1.00 in the light"]),
        (".a { color: var(--pst-color-text-base); }", ["no ground"]),
        ("@media print { .a { color: #000 } }", ["no ground"]),
        (".a { color: inherit; background: none } /* .b { color: red } */", []),
        (".a { background: white }", ["in the dark"]),  # of text that is the theme's
        (".a img, video { background: white }", []),
        (".a { background: rgb(128 128 128 / 10%) }", []),
        (".a { background: rgba(0, 0, 0, 0.9) }", ["in the light"]),
        (".a { background: linear-gradient(red, blue) left / 3rem local }", []),
        (":root { --own: #777 } .a { color: var(--own); background: white }", ["4.48", "4.48"]),
        (".a { color: var(--lost); background: white }", ["--lost"]),
        (".a { color: unheard; background: white }", ["unheard"]),
    ],
)
def test_text_that_is_not_legible_in_one_of_the_themes_is_found(tmp_path, rule, said):
    found = contrast.problems(rule, THEME)
    assert len(found) == len(said)
    for line, part in zip(found, said, strict=True):
        assert part in line
    (tmp_path / "_static" / "styles").mkdir(parents=True)
    (tmp_path / "index.html").write_text("")
    (tmp_path / "_static" / "book.css").write_text(rule)
    (tmp_path / "_static" / "styles" / "theme.css").write_text(THEME)
    assert problems(tmp_path) == [f"book.css: {line}" for line in found]


def test_the_books_own_text_is_legible_in_both_themes(smoke_book):
    """In the colours of the theme that is installed, which the build has found to be so."""
    static = smoke_book.out / "html" / "_static"
    style = (static / "book.css").read_text()
    theme = "".join(path.read_text() for path in sorted(static.glob("styles/*.css")))
    assert contrast.problems(style, theme) == []
