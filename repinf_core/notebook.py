"""Read a page's experiment from its parameters and from the values that papermill adds.

A page assigns its parameters in one cell, each on its own line, from ``profile`` to ``page``.  This
cell defines which names the page takes, so that a misspelt name is refused.
"""

import ast
import dataclasses
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from repinf_core import profiles
from repinf_core.profiles import Experiment, ParameterError

_FIELDS = tuple(field.name for field in dataclasses.fields(Experiment))
# Parameters of a page that do not belong to its experiment: its profile and name, the pages whose
# results it reads, and whether it repeats the trainings of a shipped table.
_OF_THE_PAGE = ("profile", "page", "ran", "recompute")
_STARTS_A_CELL = re.compile(r"^(?=# (?:In ?\[|%%|Parameters$))", re.M)  # of a converted notebook
_MAGIC = re.compile(r"^[%!].*$", re.M)


def experiment(namespace: Mapping[str, Any]) -> Experiment:
    """The experiment that a page's parameters cell, and papermill's cell after it, ask for.

    The values are those in the namespace.  The page takes the names of the parameters cell: the
    last one that ran, or the one in the file that runs (a notebook under ``%run``, or a script made
    from one).  If there is neither, as in ``python -c``, all names of an experiment are taken, and
    a misspelt name is not noticed.

    papermill puts its values into a cell directly after the parameters cell, and only warns about a
    name that the page does not take.  Here such a name is refused.

    Args:
        namespace: the page's ``globals()``; in IPython, ``In`` in it holds the cells run so far.

    Raises:
        ParameterError: as :func:`repinf_core.profiles.experiment`; or the page does not take a
            name, its own name cannot be a file name, or there are no parameters.
    """
    known, assigned = _names(namespace)
    for name in assigned:
        if name not in known:
            raise ParameterError(
                f"Parameter {name} (set to {namespace.get(name)!r}) is unknown to this page; "
                f"allowed are {', '.join(known)}."
            )
    given = {name: namespace[name] for name in known if name in namespace}
    if not {"profile", "page"} <= given.keys():
        raise ParameterError(
            "No cell with this page's parameters is found; put the cell back that assigns all of "
            "them, from profile to page, and run it first."
        )
    _check_those_of_the_page(given)
    profile = given["profile"]
    # papermill's -p passes a list as text.
    of_experiment = {
        name: profiles.value(value) if isinstance(value, str) and value[:1] == "[" else value
        for name, value in given.items()
        if name not in _OF_THE_PAGE
    }
    return profiles.experiment(profile, of_experiment)


def _check_those_of_the_page(given: Mapping[str, Any]) -> None:
    def refuse(name: str, allowed: str) -> None:
        raise ParameterError(f"Parameter {name} is {given[name]!r}; allowed is {allowed}.")

    if not (isinstance(given["page"], str) and re.fullmatch(r"[\w-]+", given["page"])):
        refuse("page", "a text of letters, digits, _ and -")
    if not isinstance(given.get("recompute", False), bool):
        refuse("recompute", "true or false")
    if not isinstance(given.get("ran"), (list, type(None))):
        refuse("ran", "a list of pages")


class _Run(NamedTuple):
    """Consecutive assignments: all their names, and the names that have an annotation.

    A run without names stands for other code, which ends a parameters cell.
    """

    names: list[str]
    annotated: list[str]
    is_papermills: bool


def _names(namespace: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The parameters that the page takes, and the parameters that it or papermill assigns."""
    cells = [*namespace.get("In", []), *_cells_of_file(namespace.get("__file__"))]
    runs = [run for cell in cells for run in _runs(cell)]
    places = ((_start(runs, end), end) for end in reversed(range(len(runs))))
    start, end = next(((s, end) for s, end in places if s is not None), (-1, -1))
    if start < 0:
        if "In" in namespace:
            return [], []
        # A script's namespace holds only what was assigned before.
        known = [name for name in (*_OF_THE_PAGE, *_FIELDS) if name in namespace]
        return known, known
    own = [run for run in runs[start : end + 1] if not run.is_papermills]
    papermills = [run for run in runs[start : end + 2] if run.is_papermills]
    # A line that was typed again, without its annotation, still belongs to the page.
    names = [name for run in own for name in run.names]
    retyped = [name for name in names if name in (*_FIELDS, *_OF_THE_PAGE)]
    known = [*(name for run in own for name in run.annotated), *retyped]
    return list(dict.fromkeys(known)), names + [n for run in papermills for n in run.names]


def _start(runs: list[_Run], end: int) -> int | None:
    """Index of the run that starts the parameters cell; before ``end`` if the cell was split.

    None if no parameters cell ends here.
    """
    if runs[end].is_papermills or "page" not in runs[end].names:
        return None
    for start in range(end, -1, -1):
        if not runs[start].names:
            return None
        if "profile" in runs[start].names and not runs[start].is_papermills:
            return start
    return None


def _cells_of_file(path: str | None) -> list[str]:
    """The cells of the running notebook or script; empty if there is none or it is unreadable."""
    try:
        text = Path(path or "").read_text(encoding="utf-8")
        if not str(path).endswith(".ipynb"):
            return _STARTS_A_CELL.split(text)
        cells = json.loads(text)["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _runs(cell: str) -> Iterator[_Run]:
    is_papermills = cell.lstrip().startswith("# Parameters")
    for are_assignments, group in itertools.groupby(_statements(cell), _is_assignment):
        statements = list(group)
        if are_assignments:
            annotated = [s for s in statements if isinstance(s, ast.AnnAssign)]
            yield _Run(_targets(statements), _targets(annotated), is_papermills)
        elif not all(isinstance(s, ast.Import | ast.ImportFrom | ast.Expr) for s in statements):
            yield _Run([], [], is_papermills)


def _is_assignment(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign | ast.AnnAssign)


def _targets(statements: Iterable[ast.stmt]) -> list[str]:
    targets: list[ast.expr] = []
    for one in statements:
        match one:
            case ast.Assign():
                targets += one.targets
            case ast.AnnAssign():
                targets.append(one.target)
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _statements(cell: str) -> list[ast.stmt]:
    """The top-level statements of a cell, also those under a cell magic such as ``%%time``."""
    try:
        statements = ast.parse(_MAGIC.sub("", cell)).body
    except (SyntaxError, ValueError):  # a cell that cannot have run
        return []
    match statements:
        # The form in IPython: get_ipython().run_cell_magic("time", "", "the cell").
        case [
            ast.Expr(
                ast.Call(ast.Attribute(attr="run_cell_magic"), [_, _, ast.Constant(str(body))])
            )
        ]:
            return _statements(body)
    return statements
