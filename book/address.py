"""The public address of this copy of the project: where its repository is hosted, if it is.

No file of the repository holds the address, so every copy leads to itself.  It is filled in when
pages are rendered, and in the notebooks that Colab opens:

    python book/address.py FOLDER

writes these into FOLDER, with a list of them and the citation.  The publishing workflow puts them
on the branch ``colab`` of the repository.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_BRANCH = "colab"  # of the notebooks that Colab opens
_UNPUBLISHED = 'published = ""'  # in a notebook's second cell
_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
_ICONS = "github", "gitlab", "bitbucket"  # the hosts to which the theme can make a button


@dataclass(frozen=True)
class Address:
    """Where the repository is hosted.

    Attributes:
        url: ``https://HOST/OWNER/NAME``.
        edition: the tag of this copy's commit, else the commit, or ``main`` if git knows none.
    """

    url: str
    edition: str = "main"

    def colab(self, notebook: str) -> str | None:
        """The address at which Colab opens a notebook; None unless GitHub hosts the repository."""
        name = self.url.removeprefix("https://github.com/")
        if name == self.url:
            return None
        return f"https://colab.research.google.com/github/{name}/blob/{_BRANCH}/{notebook}.ipynb"


def find(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> Address | None:
    """The address of the copy in ``root``; None if none is known.

    It is that of the repository in which GitHub runs a workflow, else that of the remote ``origin``
    or, without an origin, of the first remote, else ``Repository`` in pyproject's
    ``[project.urls]``.
    """
    if name := environment.get("GITHUB_REPOSITORY"):
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        return Address(f"{server}/{name}", _edition(root))
    url = https(_remote(root)) or _declared(root)
    return Address(url, _edition(root)) if url else None


def https(remote: str) -> str | None:
    """The public address of a git remote, without user and password.

    None for a folder, and for a host without a public name, such as an alias or a number.  The port
    of a web address stays, with its ``http`` or ``https``; the port of ssh and git goes.
    """
    host = r"(?P<host>[\w.-]+\.[A-Za-z]{2,})"
    forms = (
        rf"(?P<site>https?://)(?:[^@/]*@)?{host}(?P<port>:\d+)/(?P<path>.+)",
        rf"(?:https?|git|ssh|git\+ssh)://(?:[^@/]*@)?{host}(?::\d+)?/(?P<path>.+)",
        rf"(?:[^@/:]+@)?{host}:/?(?P<path>[^/].*)",
    )
    for form in forms:
        if found := re.fullmatch(form, remote):
            parts = {"site": "https://", "port": ""} | found.groupdict()
            name = re.sub(r"^(www|ssh)\.(?=github\.com$)", "", parts["host"].lower())
            path = parts["path"].rstrip("/").removesuffix(".git")
            return f"{parts['site']}{name}{parts['port']}/{path}"
    return None


def _remote(root: Path) -> str:
    """Where git's origin, or its first remote, is; empty without one."""
    names = _git(root, "remote").split()
    if not names:
        return ""
    return _git(root, "remote", "get-url", "origin" if "origin" in names else names[0])


def _declared(root: Path) -> str | None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository")


def _edition(root: Path) -> str:
    tag = _git(root, "describe", "--tags", "--exact-match")
    return tag or _git(root, "rev-parse", "--verify", "HEAD") or "main"


def _git(root: Path, *arguments: str) -> str:
    """What git says of the repository in ``root``; empty if there is none, or no git."""
    if not (root / ".git").exists():  # git would look in the folders above
        return ""
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()


def with_source(code: str, address: Address | None) -> str:
    """A cell's code in which the address, if there is one, is where the package is installed from.

    Other cells than a notebook's second stay as they are.
    """
    if address is None:
        return code
    return code.replace(_UNPUBLISHED, f'published = "git+{address.url}@{address.edition}"')


def with_badge(text: str, address: Address | None, notebook: str, image: str = _BADGE) -> str:
    """A page's first cell with Colab's badge below the title.

    Without an address that Colab opens, a link to what else a reader can do.
    """
    link = address and address.colab(notebook)
    below = (
        f"[![Open in Colab]({image})]({link})"
        if link
        else "[How to run this page](about/re_execute.md)"
    )
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{below}\n{rest}"


def configured(config: dict[str, Any], address: Address | None) -> dict[str, Any]:
    """jupyter-book's configuration with the address.

    That is the repository's buttons, if the theme can make them, and what the pages say of the
    repository and of Colab: the substitutions ``repository`` and ``online``.
    """
    config = config | {"parse": config["parse"] | {"myst_substitutions": _said(address)}}
    if address is None or not any(icon in address.url.split("/")[2] for icon in _ICONS):
        return config
    buttons = {"use_repository_button": True, "use_issues_button": "bitbucket" not in address.url}
    return config | {
        "repository": {"url": address.url, "branch": address.edition},
        "html": config["html"] | buttons,
    }


def _said(address: Address | None) -> dict[str, str]:
    badge = "The badge at the top of a chapter opens its notebook in Google Colab."
    return {
        "repository": f"[repository]({address.url})" if address else "repository",
        "online": badge if address and address.colab("") else "",
    }


def citation(text: str, address: Address | None) -> str:
    """The text of CITATION.cff with the address, if there is one."""
    return text + f'repository-code: "{address.url}"\n' if address else text


def write_notebooks(folder: Path, address: Address) -> None:
    """Write the notebooks that Colab opens, a list of them and the citation.

    Args:
        folder: a folder without them.
        address: an address that Colab opens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"The notebooks of {address.url} ({address.edition}), for Colab.\n"]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = with_source("".join(cell["source"]), address)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        (folder / path.name).write_text(text, encoding="utf-8")
        title = notebook["cells"][0]["source"].splitlines()[0].removeprefix("# ")
        lines.append(f"- [![Open in Colab]({_BADGE})]({address.colab(path.stem)}) {title}")
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (folder / "CITATION.cff").write_text(citation(cff, address), encoding="utf-8")


if __name__ == "__main__":
    here = find()
    if here is None or here.colab("") is None:
        sys.exit("Colab opens notebooks on GitHub only, and no address there is known.")
    write_notebooks(Path(sys.argv[1]), here)
