"""The scripts of docs/recipes.md run as they stand, and a failure is never taken for an answer."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.binary import (
    BINARY,
    Easyllm,
    RunResult,
    chat_answer_script,
    single_profile_toml,
)
from tests.support.images import png
from tests.support.samples import parse_samples
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import StandIn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")

RECIPES = parse_samples((ROOT / "docs" / "recipes.md").read_text("utf-8"))
OVERLOADED = Script(b'{"error": {"message": "busy"}}', status=503, content_type="application/json")
CUT = chat_answer_script("half an ans", finish="", then=())
REFUSED = Script(
    b'{"error": {"message": "wrong key"}}', status=401, content_type="application/json"
)
SHELL_BLOCK = "Here it is:\n```sh\necho it ran\n```\n"


@pytest.fixture
def folder(easyllm: Easyllm) -> Path:
    """The folder in which the recipes run; `easyllm` is on their PATH."""
    (easyllm.home / "tools").mkdir()
    (easyllm.home / "tools" / "easyllm").symlink_to(BINARY)
    folder = easyllm.home / "work"
    folder.mkdir()
    return folder


def run(
    easyllm: Easyllm,
    command: list[str],
    *answers: Script,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> RunResult:
    """One run of a command in the folder; the n-th request gets the n-th answer."""
    path = f"{easyllm.home / 'tools'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    with StandIn(script_handler(*(answers or (CUT,)))) as server:
        result = easyllm.run(
            command=command, stdin=stdin, cwd=easyllm.home / "work",
            profiles=single_profile_toml(server, max_retries=0), env={"PATH": path, **(env or {})},
        )  # fmt: skip
        assert len(server.requests) == len(answers)
    return result


def run_recipe(
    easyllm: Easyllm, name: str, *answers: Script, stdin: str | None = None
) -> RunResult:
    interpreter = [sys.executable, "-c"] if RECIPES[name].language == "python" else ["sh", "-c"]
    return run(easyllm, [*interpreter, RECIPES[name].code], *answers, stdin=stdin)


def test_each_recipe_is_ten_lines_or_so_and_has_a_test() -> None:
    assert len(RECIPES) == 6
    source = Path(__file__).read_text("utf-8")
    for name, recipe in RECIPES.items():
        assert len(recipe.code.splitlines()) <= 14, name
        assert f'"{name}"' in source, name


@pytest.mark.parametrize(
    ("answer", "typed", "code", "printed"),
    [
        (chat_answer_script(SHELL_BLOCK), "y\n", 0, b"it ran\n"),
        (chat_answer_script(SHELL_BLOCK), "n\n", 1, b""),
        (chat_answer_script("no code"), "y\n", 7, b""),
        (CUT, "y\n", 7, b""),
    ],
    ids=["yes", "no", "without code", "cut"],
)
def test_shell_command(
    easyllm: Easyllm, folder: Path, answer: Script, typed: str, code: int, printed: bytes
) -> None:
    script = RECIPES["A shell command from words"].code + "how say that it ran\n"
    ran = run(easyllm, ["bash", "-c", script], answer, stdin=typed)
    assert (ran.code, ran.stdout) == (code, printed)
    assert ("Run it?" in ran.stderr) == (code != 7)


def test_commit_hook(easyllm: Easyllm, folder: Path) -> None:
    git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "sed -i -e '1s/^$/typed/'"}
    for role in ("AUTHOR", "COMMITTER"):
        git |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}
    subprocess.run(["git", "init", "-q", folder], check=True)
    hook = folder / ".git" / "hooks" / "prepare-commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(RECIPES["A commit hook"].code)
    hook.chmod(0o755)

    def commit(*args: str, answers: tuple[Script, ...]) -> RunResult:
        with (folder / "file.txt").open("a") as file:
            file.write("more\n")
        subprocess.run(["git", "add", "."], cwd=folder, check=True)
        ran = run(easyllm, ["git", "commit", "-q", *args], *answers, env=git)
        assert ran.code == 0, ran.stderr
        return ran

    commit(answers=(chat_answer_script("Add a file"),))
    assert "busy" in commit(answers=(OVERLOADED,)).stderr
    commit("-m", "my own", answers=())
    log = ["git", "log", "--reverse", "--format=%s"]
    subjects = subprocess.run(log, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert subjects.splitlines() == ["Add a file", "typed", "my own"]


def test_csv(easyllm: Easyllm, folder: Path) -> None:
    tickets = '1,"It crashes, always"\n2,Add a button\n3,cut\n4,poem\n'
    answers = [chat_answer_script(text) for text in ("Bug.", "wish")]
    labelled = run_recipe(easyllm, "Classify a CSV", *answers, CUT, chat_answer_script("A poem"),
                          stdin=tickets)  # fmt: skip
    rows = list(csv.reader(io.StringIO(labelled.stdout.decode())))
    assert [row[-1] for row in rows] == ["bug", "wish", "?", "?"]
    assert rows[0][:-1] == ["1", "It crashes, always"]
    assert labelled.code == 1
    whole = run_recipe(easyllm, "Classify a CSV", answers[0], stdin="1,crash\n")
    assert (whole.code, whole.stdout) == (0, b"1,crash,bug\r\n")
    no_key = run_recipe(easyllm, "Classify a CSV", REFUSED, stdin=tickets)
    assert (no_key.code, no_key.stdout) == (3, b"")


def test_captions(easyllm: Easyllm, folder: Path) -> None:
    photos = folder / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b c.jpg"):
        (photos / name).write_bytes(png(8, 8, (255, 0, 0)))
    name = "Caption a folder of images"
    assert run_recipe(easyllm, name, chat_answer_script("A red square"), CUT).code == 7
    assert [path.name for path in photos.glob("*.txt")] == ["a.txt"]
    again = run_recipe(easyllm, name, chat_answer_script("Another one"))
    assert (again.code, again.stderr) == (0, "")
    texts = {path.name: path.read_text() for path in photos.glob("*.txt")}
    assert texts == {"a.txt": "A red square\n", "b c.txt": "Another one\n"}


def test_translation(easyllm: Easyllm, folder: Path) -> None:
    name = "Translate in a loop"
    answers = (chat_answer_script("un"), chat_answer_script("deux"))
    ran = run_recipe(easyllm, name, *answers, stdin="one\n\ntwo\n")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"un\n\ndeux\n", "")
    ran = run_recipe(easyllm, name, answers[0], CUT, stdin="one\ntwo\nthree\n")
    assert (ran.code, ran.stdout) == (7, b"un\n")


def test_json(easyllm: Easyllm, folder: Path) -> None:
    (folder / "invoice.txt").write_text("Invoice 17, 20 euros\n")
    invoice = {"number": "17", "total": 20}
    ran = run_recipe(easyllm, "Extract JSON", chat_answer_script(json.dumps(invoice)))
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"", "")
    assert json.loads((folder / "invoice.json").read_text()) == invoice
    ran = run_recipe(easyllm, "Extract JSON", chat_answer_script('{"number": "18"}'))
    assert ran.code == 7
    assert json.loads((folder / "invoice.json").read_text()) == invoice
