"""The shell command that adds an extra to the installation that is running.

It depends on where easyllm came from (an index, a folder, a file, a git repository) and on what
installed it (pip, uv, pipx). Imported only when such a command is printed.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "easyllm-cli"
# pipx and `uv tool` leave these files in the environments that they make.
PIPX_MARK, UV_TOOL_MARK = "pipx_metadata.json", "uv-receipt.toml"
PACKAGE = re.compile(r"[\w.-]+")
# The part of a URL before the host; "git" is no secret, and pip fills ${NAME} in.
CREDENTIALS = re.compile(r"(?<=://)(?!git@|\$\{)[^/@]*@")


def format_install_command(extra: str) -> str:
    """The command that adds the packages of an extra to the environment that runs this."""
    prefix = Path(sys.prefix)
    packages = list_packages(extra)
    if packages and (prefix / PIPX_MARK).is_file():
        return quote_arguments("pipx", "inject", prefix.name, *packages)
    if (prefix / UV_TOOL_MARK).is_file():
        # uv replaces the extras that are there by the ones that are named.
        extras = ",".join(sorted({extra, *list_installed_extras()}))
        if source := build_requirement(extras):
            return quote_arguments("uv", "tool", "install", *source)
    return choose_installer() + quote_arguments(*(build_requirement(extra) or packages))


def build_requirement(extras: str) -> list[str]:
    """easyllm with extras, as an installer's arguments; empty: what it came from is gone."""
    origin = read_origin()
    url = CREDENTIALS.sub("", str(origin.get("url", "")))
    subdirectory = f"#subdirectory={folder}" if (folder := origin.get("subdirectory")) else ""
    is_file = url.startswith("file:")
    if repository := origin.get("vcs_info"):
        if is_file:  # pip takes no extras of git+file://
            return []
        revision = f"@{name}" if (name := repository.get("requested_revision")) else ""
        return [f"{DISTRIBUTION}[{extras}] @ {repository['vcs']}+{url}{revision}{subdirectory}"]
    if is_file:
        path = convert_url_to_path(url)
        if subdirectory or not path.exists():
            return []
        editable = ["-e"] if origin.get("dir_info", {}).get("editable") else []
        return [*editable, f"{path}[{extras}]"]
    return [f"{DISTRIBUTION}[{extras}]" + f" @ {url}{subdirectory}" * bool(url)]


def read_origin() -> dict[str, Any]:
    """What direct_url.json says about where easyllm came from; empty: from an index."""
    try:
        origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "")
    except metadata.PackageNotFoundError:  # it runs from its source
        root = Path(__file__).resolve().parent.parent
        return {"url": root.as_uri()} if (root / "pyproject.toml").is_file() else {}
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def convert_url_to_path(url: str) -> Path:
    path = unquote(urlsplit(url).path)
    return Path(path.lstrip("/") if sys.platform == "win32" else path)


def list_packages(extra: str) -> list[str]:
    """The requirements of an extra, without their conditions; empty where easyllm has no record."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    pairs = [requirement.partition(";") for requirement in requirements]
    ours = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    return [package.strip() for package, _, condition in pairs if ours.search(condition)]


def list_installed_extras() -> list[str]:
    """The extras whose packages are all installed."""
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    return [extra for extra in extras if extra != "all" and has_packages(list_packages(extra))]


def has_packages(requirements: list[str]) -> bool:
    names = [found[0] for one in requirements if (found := PACKAGE.match(one))]
    try:
        return all(metadata.version(name) for name in names)
    except metadata.PackageNotFoundError:
        return False


def choose_installer() -> str:
    """`pip install` for this environment, up to its arguments, with a blank at the end."""
    python = sys.executable or "python3"
    if find_spec("pip"):
        found = shutil.which("pip")
        is_first = found and Path(found).parent == Path(python).parent
        is_own = is_first and sys.prefix != sys.base_prefix
        return "pip install " if is_own else quote_arguments(python, "-m", "pip", "install") + " "
    if is_installed_by_uv():
        return quote_arguments("uv", "pip", "install", "--python", python) + " "
    pip = quote_arguments(python, "-m")
    return f"{pip} ensurepip && {pip} pip install "


def is_installed_by_uv() -> bool:
    try:
        return metadata.distribution(DISTRIBUTION).read_text("INSTALLER") == "uv"
    except metadata.PackageNotFoundError:
        return False


def quote_arguments(*arguments: str) -> str:
    """Arguments as one line of the shell."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline(arguments)
    from shlex import join

    return join(arguments)
