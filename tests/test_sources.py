"""A page is another one when what computes it changes, and only then."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import sources

ROOT = Path(__file__).parents[1]

CORE = {
    "__init__.py": '__version__ = "1"\n',
    "near.py": "import math\nfrom repinf_core import middle\n\ndef f(x=1):\n    return x\n",
    "middle.py": "from . import far\nfrom .packed.inner import g as h\n",
    "far.py": '"""Far away."""\n\n# A constant.\nRATE = 0.5\n\n\nclass A:\n    """It is."""\n',
    "packed/__init__.py": "from repinf_core.packed import beside\n",
    "packed/inner.py": "def g():\n    import repinf_core.lazy\n    return 1\n",
    "packed/beside.py": "from repinf_core import near  # which imports this package\n",
    "lazy.py": "X = 1\n",
    "unused.py": "X = 1\n",
}
USED = set(CORE) - {"unused.py"}


@pytest.fixture
def project(tmp_path):
    """A core, and a page that imports one module of it."""
    for name, text in CORE.items():
        path = tmp_path / "repinf_core" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_page(tmp_path, "%matplotlib inline\nfrom repinf_core import near, nothing\nimport numpy")
    return tmp_path


def write_page(folder, code, markdown="# A page", **metadata):
    cells = [nbformat.v4.new_markdown_cell(markdown), nbformat.v4.new_code_cell(code)]
    cells[1].metadata.update(metadata)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "page.ipynb")


def digests(project):
    return sources.digests(project / "page.ipynb", project)


def changed(before, after):
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def edit(project, name, old, new):
    """What digests are others then."""
    before = digests(project)
    path = project / "repinf_core" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return changed(before, digests(project))


def test_a_page_is_made_of_what_it_imports_however_far_away(project):
    """Through a circle of imports too: the package imports what imports it."""
    assert set(digests(project)) == {"page.ipynb"} | {f"repinf_core/{name}" for name in USED}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("far.py", "Far away.", "Farther away."),
        ("far.py", '"""It is."""', '"""It is not."""'),
        ("far.py", "# A constant.\n", ""),
        ("far.py", "RATE = 0.5", "RATE = (\n    0.50\n)  # per step"),
        ("near.py", "def f(x=1):", "def f(\n    x=1,\n):\n    '''Of x.'''"),
        ("__init__.py", '"1"', '"2"'),
        ("unused.py", "X = 1", "X = 2"),
    ],
)
def test_what_computes_the_same_is_the_same_page(project, name, old, new):
    assert edit(project, name, old, new) == set()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("near.py", "x=1", "x=2"),
        ("near.py", "x=1", "x=None"),
        ("far.py", "RATE = 0.5", "RATE = 0.6"),
        ("packed/inner.py", "return 1", "return True"),
        ("packed/beside.py", "from", "X = 1\nfrom"),
        ("lazy.py", "X = 1", "X = 'é'"),
        ("__init__.py", "__version__", "import os\n__version__"),
    ],
)
def test_what_computes_something_else_is_another_page(project, name, old, new):
    assert edit(project, name, old, new) == {f"repinf_core/{name}"}


def test_a_new_import_takes_another_module_in(project):
    imports = "from repinf_core import middle, unused"
    found = edit(project, "near.py", "from repinf_core import middle", imports)
    assert found == {"repinf_core/near.py", "repinf_core/unused.py"}


@pytest.mark.parametrize(
    "page",
    [
        {"code": "from repinf_core import near, nothing\nimport numpy  # arrays"},
        {"markdown": "# The page"},
        {"tags": ["hide-input"]},
    ],
)
def test_a_notebook_that_says_or_shows_something_else_is_another_page(project, page):
    code = "from repinf_core import near, nothing\nimport numpy"
    write_page(project, code)
    before = digests(project)
    write_page(project, **{"code": code} | page)
    assert changed(before, digests(project)) == {"page.ipynb"}


def test_a_cell_that_is_no_python_imports_nothing(project):
    write_page(project, "%%bash\nfrom repinf_core import near of course")
    assert set(digests(project)) == {"page.ipynb"}


def test_a_module_that_is_no_python_is_told(project):
    (project / "repinf_core" / "far.py").write_text("X = ")
    with pytest.raises(SyntaxError):
        digests(project)


def test_what_python_loads_for_a_page_of_the_book_is_among_its_sources():
    notebook = ROOT / "notebooks" / "04_cluster_centers.ipynb"
    cells = nbformat.read(notebook, 4).cells
    lines = [line for cell in cells for line in cell.source.splitlines()]
    imports = [line for line in lines if line.startswith("from repinf_core")]
    assert len(imports) >= 3
    tell = "import sys; print(*(m.__file__ for n, m in sys.modules.items() if 'repinf_core' in n))"
    command = [sys.executable, "-c", "\n".join([*imports, tell])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {Path(path).relative_to(ROOT).as_posix() for path in done.stdout.split()}
    assert {"repinf_core/__init__.py", "repinf_core/dynamics/rollout.py"} <= loaded
    assert loaded <= set(sources.digests(notebook, ROOT))
