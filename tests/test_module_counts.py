"""A command imports no heavy package, and few modules that are not ours (DESIGN §8).

`python tests/test_module_counts.py --record` writes the counts of this Python, and of the typer
and httpx2 that are installed, to module_counts.toml. Other versions are printed, never failed.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.binary import BINARY, Easyllm, finish, only, said  # noqa: E402
from tests.standins.script import scripted  # noqa: E402
from tests.standins.server import StandIn  # noqa: E402

RECORD = Path(__file__).with_name("module_counts.toml")
COUNTED_WITH = ("typer", "httpx2")
GROWTH = 1.05
HEAVY = {"openai", "litellm", "google", "pydantic", "sqlalchemy", "markdown_it", "rich"}
COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "chat": ["chat", "hi"],
    "stream": ["stream", "hi"],
}
IMPORT = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
FACTS = """
import json, sys
from importlib.metadata import version
print(json.dumps(["%d.%d" % sys.version_info[:2], {name: version(name) for name in sys.argv[1:]}]))
"""


def interpreter() -> str:
    """The Python that runs the command: its script's first line names it."""
    with open(BINARY, "rb") as script:
        first = script.readline().decode("utf-8", "replace").strip()
    return first[2:] if first.startswith("#!") and "python" in first else sys.executable


def modules(
    easyllm: Easyllm,
    args: list[str],
    url: str,
    command: str = BINARY,
    env: Mapping[str, str] | None = None,
) -> set[str]:
    """The modules that one command imports, its output in pipes; Python itself tells."""
    told = {"PYTHONPROFILEIMPORTTIME": "1", **(env or {})}
    with easyllm.start(*args, command=[command], env=told, profiles=only(url)) as child:
        ran = finish(child, None)
    assert ran.code == 0, ran.err
    return set(IMPORT.findall(ran.err))


def counted(easyllm: Easyllm) -> dict[str, list[str]]:
    """For each command the modules that are neither ours nor Python's own at its start."""
    start = modules(easyllm, ["-c", "pass"], "", interpreter())
    with StandIn(scripted(said("Hello"))) as server:
        made = {name: modules(easyllm, args, f"{server.url}/v1") for name, args in COMMANDS.items()}
    return {
        name: sorted(one for one in found - start if not one.startswith("easyllm_cli"))
        for name, found in made.items()
    }


def installed() -> tuple[str, dict[str, str]]:
    """Python's minor version, and those of the packages that are counted with it."""
    command = [interpreter(), "-c", FACTS, *COUNTED_WITH]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=20)
    python, versions = json.loads(done.stdout)
    return python, versions


def recorded() -> dict[str, Mapping[str, str | int]]:
    return tomllib.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def record(easyllm: Easyllm) -> None:
    """Writes this Python's counts; those of others stay."""
    python, versions = installed()
    tables = {**recorded(), python: {**versions, **dict_of_lengths(counted(easyllm))}}
    lines = ["# Modules that are not ours, imported by each command; written by"]
    lines.append("# python tests/test_module_counts.py --record")
    for name, table in sorted(tables.items()):
        lines += ["", f'["{name}"]']
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    RECORD.write_text("\n".join(lines) + "\n", "utf-8")


def test_no_heavy_package_and_few_modules(easyllm: Easyllm) -> None:
    found = counted(easyllm)
    for name, names in found.items():
        heavy = HEAVY & {one.partition(".")[0] for one in names}
        assert not heavy, f"{name} imports {heavy}"
    python, versions = installed()
    known = recorded().get(python)
    if known is None or {name: known[name] for name in COUNTED_WITH} != versions:
        print(f"not recorded: {python}, {versions}: {dict_of_lengths(found)}")
        return
    for name, names in found.items():
        most = int(known[name]) * GROWTH
        assert len(names) <= most, f"{name}: {len(names)} modules, {known[name]} are recorded"


def dict_of_lengths(found: dict[str, list[str]]) -> dict[str, int]:
    return {name: len(names) for name, names in found.items()}


def test_version_imports_next_to_nothing(easyllm: Easyllm) -> None:
    names = modules(easyllm, ["--version"], "http://127.0.0.1:9/v1")
    assert not {"typer", "asyncio", "httpx2", "json.tool"} & names
    assert sum(one.startswith("easyllm_cli") for one in names) <= 3


def test_chat_imports_only_what_it_needs(easyllm: Easyllm) -> None:
    """One provider, one renderer, one command; nothing of retries while all goes well."""
    with StandIn(scripted(said("Hello"))) as server:
        names = modules(easyllm, ["chat", "hi"], f"{server.url}/v1")
    ours = {one.removeprefix("easyllm_cli.") for one in names if one.startswith("easyllm_cli.")}
    others = {"gemini", "ollama", "openrouter"}
    assert not {f"providers.{name}" for name in others} & ours
    assert not {f"cli.{name}" for name in ("stream", "vision", "models", "cot")} & ours
    assert not {"render.table", "render.terminal", "render.json"} & ours
    assert not {"cli.row", "cli.completion", "cli.known_models", "database", "plugins"} & ours
    assert "backoff" not in names


if __name__ == "__main__":
    if sys.argv[1:] != ["--record"]:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        record(Easyllm(Path(folder)))
    print(RECORD.read_text("utf-8"))
