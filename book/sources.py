"""The sources of a page: its notebook and the core modules that it imports.

Imports are read from the source text and followed from module to module.  A page therefore stays
valid when a module changes that it does not use.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import itertools
import json
import re
from pathlib import Path

CORE = "repinf_core"
_MAGIC = re.compile(r"^[%!].*$", re.M)  # of IPython, which is not Python


def digests(notebook: Path, root: Path) -> dict[str, str]:
    """SHA-256 of a notebook, and of each core module that it imports, directly or indirectly.

    The notebook's digest covers its cells' types, sources and metadata.  A module's digest covers
    its syntax tree without docstrings and without the package's version; comments and layout do not
    count.

    Args:
        notebook: the notebook before execution.
        root: folder that contains the core.

    Returns:
        digests by the notebook's name and by each module's path from ``root``.

    Raises:
        SyntaxError: a module is not valid Python.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    shown = [[cell["cell_type"], "".join(cell["source"]), cell["metadata"]] for cell in cells]
    found = {notebook.name: _sha256(shown)}
    pending = {name for kind, text, _ in shown if kind == "code" for name in _of_cell(text)}
    while pending:
        path = _file(root, pending.pop())
        if path is None or path.as_posix() in found:
            continue
        text = (root / path).read_text(encoding="utf-8")
        found[path.as_posix()], imports = _of_module(text, package=".".join(path.parent.parts))
        pending |= imports
    return dict(sorted(found.items()))


def _of_cell(text: str) -> set[str]:
    """Names that a code cell imports.

    Empty if the cell is not valid Python, which its execution will report.
    """
    with contextlib.suppress(SyntaxError):
        return _imports(ast.parse(_MAGIC.sub("", text)), package="")
    return set()


@functools.cache
def _of_module(text: str, package: str) -> tuple[str, frozenset[str]]:
    """Digest of a module's source, and the names that it imports."""
    tree = ast.parse(text)
    return _sha256(_meaning(tree)), frozenset(_imports(tree, package))


def _imports(tree: ast.AST, package: str) -> set[str]:
    """Dotted names that may be core modules; ``a.b`` adds ``a``, which Python imports first."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names += (f"{source}.{alias.name}" for alias in node.names)
    parts = (name.split(".") for name in names)
    return {
        name for of in parts if of[0] == CORE for name in itertools.accumulate(of, "{}.{}".format)
    }


def _file(root: Path, name: str) -> Path | None:
    """Path of a module from ``root``; None if no module has this name."""
    place = Path(*name.split("."))
    files = place / "__init__.py", place.with_suffix(".py")
    return next((path for path in files if (root / path).exists()), None)


def _meaning(node: object) -> object:
    """A syntax tree as nested lists, without statements that compute nothing.

    Empty fields are left out, because Python versions differ in them.
    """
    if isinstance(node, list):
        return [_meaning(item) for item in node if not _computes_nothing(item)]
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    return [type(node).__name__, {name: _meaning(value) for name, value in fields.items()}]


def _computes_nothing(node: object) -> bool:
    """Whether a node is a free-standing string, such as a docstring, or the package's version."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__version__")]):
            return True
    return False


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
