"""docs/testing-scripts.md: its script is recorded once, and its tests replay it without a key."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.binary import BINARY, Easyllm, RunResult, chat_answer_script
from tests.support.samples import parse_samples
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")

PAGE = parse_samples((ROOT / "docs" / "testing-scripts.md").read_text("utf-8"))
# What bats does with a file of tests, for a machine without it.
BATS = r"""
run() { output=$("$@" 2>&1); status=$?; mapfile -t lines <<< "$output"; }
source <(sed -E 's/^@test "(.*)" \{$/test_number() { name="\1"/' "$1" |
  awk '/^test_number/ { sub("test_number", "test_" ++n) } { print }')
for test in $(compgen -A function test_); do
  (set -e; setup; "$test") || { echo "not ok $test"; exit 1; }
  echo "ok $test"
done
"""


@pytest.fixture
def folder(easyllm: Easyllm) -> Path:
    """A folder with the script and its recording, which was made with a key."""
    (easyllm.home / "tools").mkdir()
    (easyllm.home / "tools" / "easyllm").symlink_to(BINARY)
    folder = easyllm.home / "work"
    (folder / "tests").mkdir(parents=True)
    (folder / "summary.sh").write_text(PAGE["Testing scripts that call easyllm"].code)
    (folder / "notes.txt").write_text("We met and decided.\n")
    (folder / "other.txt").write_text("Something else.\n")
    with StandIn(script_handler(chat_answer_script("A decision was made."))) as server:
        env = {"OPENAI_API_KEY": "sk-1234567890", "OPENAI_BASE_URL": f"{server.url}/v1"}
        ran = run(easyllm, PAGE["Record"].code, env)
        assert (ran.code, len(server.requests)) == (0, 1)
    assert (folder / "tests" / "answers.jsonl").exists()
    return folder


def run(easyllm: Easyllm, script: str, env: dict[str, str] | None = None) -> RunResult:
    """Run a shell script in the folder; there is no key but in `env`."""
    variables = {"PATH": search_path(easyllm), **(env or {})}
    return easyllm.shell(script, shell="bash", cwd=easyllm.home / "work", env=variables)


def search_path(easyllm: Easyllm) -> str:
    """The folders of commands, with `easyllm` first."""
    return f"{easyllm.home / 'tools'}:/usr/bin:/bin"


def test_bats(easyllm: Easyllm, folder: Path) -> None:
    (folder / "summary.bats").write_text(PAGE["bats"].code)
    (folder / "run.sh").write_text(BATS)
    command = "bats" if shutil.which("bats") else "bash run.sh"
    ran = run(easyllm, f"{command} summary.bats")
    assert (ran.code, ran.stdout.count(b"ok ")) == (0, 2), ran.stdout
    (folder / "tests" / "answers.jsonl").write_text('{"easyllm_recording": 1}\n')
    assert run(easyllm, f"{command} summary.bats").code == 1  # the tests can fail


def test_pytest(easyllm: Easyllm, folder: Path) -> None:
    (folder / "test_summary.py").write_text(PAGE["pytest"].code)
    # Without the plugins of this environment, pytest starts in a third of the time.
    options = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    ran = run(easyllm, f"{sys.executable} -m pytest -q test_summary.py", options)
    assert (ran.code, ran.stdout.split()[-4:-2]) == (0, [b"2", b"passed"]), ran.stdout


def test_ci_job(easyllm: Easyllm, folder: Path) -> None:
    job = PAGE["A CI job without a key"].code
    steps = re.findall(r"- run: (.+)", job)
    assert steps[0] == "pip install easyllm-cli"
    variables = dict(re.findall(r"^ +(EASYLLM_\w+): (.+)$", job, re.MULTILINE))
    ran = run(easyllm, "\n".join(["set -e", *steps[1:]]), variables)
    assert (ran.code, ran.stdout) == (0, b"A decision was made.\n")
