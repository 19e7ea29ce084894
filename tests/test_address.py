"""Badges, buttons and install cells lead to wherever this copy of the project is hosted."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import address
import pytest
import yaml
from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = "https://colab.research.google.com/github"
HOSTED = address.Address("https://github.com/ada/book", "v1.0")
WORKFLOWS = {p.stem: yaml.safe_load(p.read_text()) for p in ROOT.glob(".github/workflows/*.yml")}


def git(folder, *arguments):
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path):
    """A repository without a remote whose pyproject names no address."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "repinf"\n')
    git(tmp_path, "init", "--quiet")
    return tmp_path


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/ada/book",
        "https://github.com/ada/book.git",
        "https://github.com/ada/book/",
        "https://ada:secret@github.com/ada/book.git",
        "https://token@github.com/ada/book",
        "http://github.com/ada/book",
        "git://github.com/ada/book.git",
        "git@github.com:ada/book.git",
        "github.com:ada/book",
        "git@github.com:/ada/book.git",
        "ssh://git@github.com/ada/book.git",
        "ssh://git@github.com:22/ada/book.git",
        "ssh://git@ssh.github.com:443/ada/book.git",
        "https://GitHub.com/ada/book",
        "https://www.github.com/ada/book",
    ],
)
def test_whatever_form_a_remote_has_its_address_is_public_and_holds_no_password(remote):
    assert address.https(remote) == "https://github.com/ada/book"


def test_another_host_and_a_group_of_groups_are_kept():
    assert address.https("git@gitlab.uni.example:a/b/book") == "https://gitlab.uni.example/a/b/book"


def test_a_web_address_keeps_its_port():
    for site in ("https://gitea.lan:3000", "http://gitea.lan:3000"):
        assert address.https(f"{site}/ada/book.git") == f"{site}/ada/book"
    assert address.https("ssh://git@gitea.lan:2222/ada/book.git") == "https://gitea.lan/ada/book"


@pytest.mark.parametrize(
    "remote",
    ["", "/srv/book.git", "../book", "file:///srv/book.git", "C:/book", "C:\\book", "alias:book",
     "ssh://localhost/book", "http://127.0.0.1:3000/ada/book", "ada@10.0.0.1:book"],
)  # fmt: skip
def test_a_folder_and_a_host_without_a_public_name_are_no_address(remote):
    assert address.https(remote) is None


def test_the_address_is_github_s_then_the_remote_s_then_pyproject_s(copy):
    assert address.find(copy, {}) is None
    with (copy / "pyproject.toml").open("a") as file:
        file.write('[project.urls]\nRepository = "https://git.example.org/c/book"\n')
    assert address.find(copy, {}) == address.Address("https://git.example.org/c/book", "main")
    git(copy, "remote", "add", "afar", "git@github.com:b/book.git")
    assert address.find(copy, {}).url == "https://github.com/b/book"
    git(copy, "remote", "add", "origin", "git@github.com:ada/book.git")
    assert address.find(copy, {}).url == "https://github.com/ada/book"
    on_github = {"GITHUB_REPOSITORY": "eve/fork"}
    assert address.find(copy, on_github).url == "https://github.com/eve/fork"
    elsewhere = on_github | {"GITHUB_SERVER_URL": "https://git.example.org"}
    assert address.find(copy, elsewhere).url == "https://git.example.org/eve/fork"


def test_a_local_origin_gives_way_to_pyproject(copy):
    git(copy, "remote", "add", "origin", "/srv/book.git")
    assert address.find(copy, {}) is None


def test_a_repository_around_a_copy_without_git_is_another_s(copy):
    git(copy, "remote", "add", "origin", "git@github.com:b/other.git")
    (copy / "inner").mkdir()
    shutil.copy(copy / "pyproject.toml", copy / "inner")
    assert address.find(copy / "inner", {}) is None


def test_the_edition_is_the_tag_of_the_commit_else_the_commit(copy):
    git(copy, "remote", "add", "origin", "git@github.com:ada/book.git")
    commit = ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "--allow-empty"]
    git(copy, *commit, "-m", "first")
    git(copy, "tag", "v1.0")
    assert address.find(copy, {}) == HOSTED
    git(copy, *commit, "-m", "second")
    second = subprocess.check_output(["git", "-C", copy, "rev-parse", "HEAD"], text=True).strip()
    assert address.find(copy, {}).edition == second


def test_colab_opens_what_is_on_github_only():
    assert HOSTED.colab("04") == f"{COLAB}/ada/book/blob/colab/04.ipynb"
    assert address.Address("https://gitlab.com/ada/book").colab("04") is None


@pytest.mark.parametrize(
    ("url", "button", "issues"),
    [
        ("https://github.com/ada/book", True, True),
        ("https://gitlab.com/ada/book", True, True),
        ("https://bitbucket.org/ada/book", True, False),
        ("https://git.example.org/ada/book", None, None),
        (None, None, None),
    ],
)
def test_the_theme_gets_the_buttons_that_it_can_make(url, button, issues):
    config = yaml.safe_load((ROOT / "book/_config.yml").read_text())
    made = address.configured(config, address.Address(url) if url else None)
    assert made.get("repository", {}).get("url") == (url if button else None)
    assert made["html"].get("use_repository_button") == button
    assert made["html"].get("use_issues_button") == issues
    assert made["parse"]["myst_substitutions"]["repository"].count(str(url)) == bool(url)


def code(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells]


def test_all_notebooks_have_the_same_install_cell():
    of_types = "from typing import Optional\n"
    assert len({code(notebook)[1].replace(of_types, "") for notebook in NOTEBOOKS}) == 1


def test_no_file_holds_a_fixed_address():
    names = ("README.md", "CITATION.cff", "pyproject.toml", "book/_config.yml")
    for path in [*(ROOT / name for name in names), *NOTEBOOKS]:
        assert not re.search(r"OWNER|github\.com/[\w-]+/repeated-inference", path.read_text()), path


def installed(cell, folder, monkeypatch):
    """What the install cell hands to pip in ``folder`` if the package is missing."""
    monkeypatch.chdir(folder)
    find_spec = __import__("importlib.util").util.find_spec
    hidden = lambda name: None if name == "repinf_core" else find_spec(name)  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", hidden)
    lines = []
    shell = type("Shell", (), {"run_line_magic": lambda _, *of: lines.append(of)})()
    namespace = {"get_ipython": lambda: shell}
    exec(TransformerManager().transform_cell(cell), namespace)
    assert lines == [("pip", 'install -q "{source}" {" ".join(kept)}')]
    return namespace["source"], namespace["kept"]


def test_an_installed_package_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repinf-0.3-py3-none-any.whl").touch()
    exec(TransformerManager().transform_cell(code(NOTEBOOKS[0])[1]), {})  # without IPython


def test_a_missing_package_comes_from_a_wheel_else_from_the_published_address(
    tmp_path, monkeypatch
):
    import numpy
    import torch

    cell = code(NOTEBOOKS[0])[1]
    published = address.with_source(cell, HOSTED)
    source, kept = installed(published, tmp_path, monkeypatch)
    assert source == "git+https://github.com/ada/book@v1.0"
    there = {f"numpy=={numpy.__version__}", f"torch=={torch.__version__}"}
    assert {one.partition("+")[0] for one in there} <= {one.partition("+")[0] for one in kept}
    (tmp_path / "repinf-0.3-py3-none-any.whl").touch()
    for one in (cell, published):
        assert installed(one, tmp_path, monkeypatch)[0] == "repinf-0.3-py3-none-any.whl"


@pytest.mark.parametrize("added_last", ["0.9", "0.10"])
def test_of_several_wheels_the_one_added_last_is_installed(added_last, tmp_path, monkeypatch):
    for version in ("0.9", "0.10"):
        wheel = tmp_path / f"repinf-{version}-py3-none-any.whl"
        wheel.touch()
        os.utime(wheel, (1000, 1000 + (version == added_last)))
    source, _ = installed(code(NOTEBOOKS[0])[1], tmp_path, monkeypatch)
    assert source == f"repinf-{added_last}-py3-none-any.whl"


def test_without_either_the_reader_is_told_the_three_ways_in_one_sentence(tmp_path, monkeypatch):
    cell = address.with_source(code(NOTEBOOKS[0])[1], None)
    with pytest.raises(ImportError, match="wheel") as told:
        installed(cell, tmp_path, monkeypatch)
    assert len(re.findall(r"\.(?= |$)", str(told.value))) == 1
    assert "install it" in str(told.value)
    assert "published" in str(told.value)


def test_the_notebooks_for_colab_know_the_address_and_are_else_the_same(tmp_path):
    address.write_notebooks(tmp_path / "colab", HOSTED)
    listed = (tmp_path / "colab" / "README.md").read_text()
    for notebook in NOTEBOOKS:
        written = json.loads((tmp_path / "colab" / notebook.name).read_text())
        cells = json.loads(notebook.read_text())["cells"]
        assert [cell["metadata"] for cell in written["cells"]] == [c["metadata"] for c in cells]
        changed = [
            (new["source"], "".join(old["source"]))
            for new, old in zip(written["cells"], cells, strict=True)
            if new["source"] != "".join(old["source"])
        ]
        ((new, old),) = changed
        assert new.replace("git+https://github.com/ada/book@v1.0", "") == old
        assert f"({COLAB}/ada/book/blob/colab/{notebook.name})" in listed
    cited = yaml.safe_load((tmp_path / "colab" / "CITATION.cff").read_text())
    assert cited["repository-code"] == "https://github.com/ada/book"


@pytest.mark.parametrize("origin", ["git@github.com:ada/book.git", None])
def test_a_clone_builds_badges_to_its_own_origin(smoke_book, tmp_path, monkeypatch, origin):
    """With no origin it builds none, nor a button, and says how to run a page otherwise."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    clone, out = tmp_path / "clone", tmp_path / "out"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    git(clone, "remote", *(["set-url", "origin", origin] if origin else ["remove", "origin"]))
    shutil.copytree(smoke_book.out / "results", out / "results")
    (out / "pages").mkdir()
    shutil.copy(smoke_book.out / "pages" / "04_cluster_centers.ipynb", out / "pages")
    command = [sys.executable, clone / "book/build.py", "--profile", "smoke", "--read"]
    built = subprocess.run([*command, "--out", out], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    page = (out / "html" / "04_cluster_centers.html").read_text()
    soup = BeautifulSoup(page, "html.parser")
    badges = [image.parent["href"] for image in soup.select('img[alt="Open in Colab"]')]
    buttons = {a["href"] for a in soup.select("a[href]") if "github.com/ada" in a["href"]}
    text = (out / "html" / "about" / "re_execute.html").read_text()
    cited = (out / "html" / "_static" / "CITATION.cff").read_text()
    if origin:
        assert badges == [f"{COLAB}/ada/book/blob/colab/04_cluster_centers.ipynb"]
        assert "https://github.com/ada/book" in buttons
        assert "git+https://github.com/ada/book@" in soup.article.get_text()
        assert "The badge at the top" in text
        assert 'repository-code: "https://github.com/ada/book"' in cited
    else:
        assert badges == []
        assert buttons == set()
        assert soup.select('article a[href^="about/re_execute.html"]')
        assert "badge" not in text
        assert "github" not in cited + soup.article.get_text()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_pins_its_actions_and_each_job_has_the_rights_that_it_needs(name):
    for job in WORKFLOWS[name]["jobs"].values():
        assert job["permissions"]
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40))
    assert WORKFLOWS[name]["permissions"] == {}


def test_the_book_is_published_after_the_tests_have_passed():
    started = WORKFLOWS["book"][True]  # YAML reads the key "on" so
    assert started == {"workflow_run": {"workflows": ["ci"], "types": ["completed"]}}
    for job in WORKFLOWS["book"]["jobs"].values():
        assert "needs" in job or "conclusion == 'success'" in job["if"]
