"""The scripts of docs/recipes.md run as they stand, and a failure is never taken for an answer.

Their answers come from a recording (tests/support/examples.py), without a key and without network;
what the model answers to which prompt stands in tests/support/standins/examples.py.
"""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.binary import Easyllm, RunResult
from tests.support.examples import install_tools, recorded, write_command
from tests.support.samples import parse_samples
from tests.support.standins.examples import BLACK, BLUE, GREEN, RED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")

RECIPES = parse_samples((ROOT / "docs" / "recipes.md").read_text("utf-8"))
GIT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "sed -i -e '1s/^$/typed/'"}
for role in ("AUTHOR", "COMMITTER"):
    GIT |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}


class Recipes:
    """Runs recipes in a folder, where `easyllm` is on the PATH."""

    def __init__(self, easyllm: Easyllm, answers: dict[str, str]) -> None:
        self.easyllm = easyllm
        self.folder = easyllm.home / "work"
        self.folder.mkdir()
        self.env = {
            "PATH": install_tools(easyllm.home), "EASYLLM_PROFILE": "openai:gpt-4o", **answers
        }  # fmt: skip

    def run_command(self, command: list[str], stdin: str | None = None) -> RunResult:
        env = {**self.env, **GIT}
        return self.easyllm.run(command=command, stdin=stdin, cwd=self.folder, env=env)

    def run(self, name: str, stdin: str | None = None) -> RunResult:
        """Run a recipe as it stands."""
        is_python = RECIPES[name].language == "python"
        interpreter = [sys.executable, "-c"] if is_python else ["sh", "-c"]
        return self.run_command([*interpreter, RECIPES[name].code], stdin)


@pytest.fixture
def recipes(easyllm: Easyllm) -> Iterator[Recipes]:
    with recorded("recipes") as answers:
        yield Recipes(easyllm, answers)


def test_each_recipe_is_ten_lines_or_so_and_has_a_test() -> None:
    assert len(RECIPES) == 6
    source = Path(__file__).read_text("utf-8")
    for name, recipe in RECIPES.items():
        assert len(recipe.code.splitlines()) <= 14, name
        assert f'"{name}"' in source, name


@pytest.mark.parametrize(
    ("words", "typed", "code", "printed"),
    [
        ("say that it ran", "y\n", 0, b"it ran\n"),
        ("say that it ran", "n\n", 1, b""),
        ("tell a joke", "y\n", 7, b""),
        ("stop half way", "y\n", 7, b""),
    ],
    ids=["yes", "no", "without code", "cut"],
)
def test_shell_command(recipes: Recipes, words: str, typed: str, code: int, printed: bytes) -> None:
    script = RECIPES["A shell command from words"].code + f"how {words}\n"
    ran = recipes.run_command(["bash", "-c", script], typed)
    assert (ran.code, ran.stdout) == (code, printed)
    assert ("Run it?" in ran.stderr) == (code != 7)


def test_commit_hook(recipes: Recipes) -> None:
    folder = recipes.folder
    subprocess.run(["git", "init", "-q", folder], check=True)
    hook = folder / ".git" / "hooks" / "prepare-commit-msg"
    hook.parent.mkdir(exist_ok=True)
    write_command(hook, RECIPES["A commit hook"].code)

    def commit(*args: str) -> str:
        with (folder / "file.txt").open("a") as file:
            file.write("more\n")
        subprocess.run(["git", "add", "."], cwd=folder, check=True)
        ran = recipes.run_command(["git", "commit", "-q", *args])
        assert ran.code == 0, ran.stderr
        return ran.stderr

    assert commit() == ""
    assert "overloaded" in commit()
    assert commit("-m", "my own") == ""  # nothing is asked: that diff is in no recording
    log = ["git", "log", "--reverse", "--format=%s"]
    subjects = subprocess.run(log, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert subjects.splitlines() == ["Add a file", "typed", "my own"]


def test_csv(recipes: Recipes) -> None:
    tickets = '1,"It crashes, always"\n2,Add a button\n3,half a ticket\n4,write a poem\n'
    labelled = recipes.run("Classify a CSV", tickets)
    rows = list(csv.reader(io.StringIO(labelled.stdout.decode())))
    assert [row[-1] for row in rows] == ["bug", "wish", "?", "?"]
    assert rows[0][:-1] == ["1", "It crashes, always"]
    assert labelled.code == 1
    whole = recipes.run("Classify a CSV", "2,Add a button\n")
    assert (whole.code, whole.stdout) == (0, b"2,Add a button,wish\r\n")
    no_key = recipes.run("Classify a CSV", "1,no key\n" + tickets)
    assert (no_key.code, no_key.stdout) == (3, b"")


def test_captions(recipes: Recipes) -> None:
    photos = recipes.folder / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(RED)
    (photos / "b c.jpg").write_bytes(BLACK)
    name = "Caption a folder of images"
    assert recipes.run(name).code == 7
    assert [path.name for path in photos.glob("*.txt")] == ["a.txt"]
    (photos / "a.jpg").write_bytes(GREEN)  # in no recording: it is not asked for again
    (photos / "b c.jpg").write_bytes(BLUE)
    again = recipes.run(name)
    assert (again.code, again.stderr) == (0, "")
    texts = {path.name: path.read_text() for path in photos.glob("*.txt")}
    assert texts == {"a.txt": "A red square\n", "b c.txt": "A blue square\n"}


def test_translation(recipes: Recipes) -> None:
    ran = recipes.run("Translate in a loop", "one\n\ntwo\n")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"un\n\ndeux\n", "")
    ran = recipes.run("Translate in a loop", "one\nhalf\ntwo\n")
    assert (ran.code, ran.stdout) == (7, b"un\n")


def test_json(recipes: Recipes) -> None:
    invoice, result = recipes.folder / "invoice.txt", recipes.folder / "invoice.json"
    invoice.write_text("Invoice 17, 20 euros\n")
    ran = recipes.run("Extract JSON")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"", "")
    assert json.loads(result.read_text()) == {"number": "17", "total": 20}
    invoice.write_text("Invoice 18\n")
    assert recipes.run("Extract JSON").code == 7
    assert json.loads(result.read_text()) == {"number": "17", "total": 20}
