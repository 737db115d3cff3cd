"""FAULT-56: writers are killed at every step, and no profile is ever lost."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from easyllm_cli.config.profiles_file import read_profiles
from tests.support.at_a_moment import signal_hook_environment
from tests.support.binary import Easyllm

TABLE = '[profiles.{0}]\nprovider = "openai"\nmodel = "{0}"\n'

# Each child process edits until it is killed: half of them at their n-th file operation (so that
# every step is hit), the others at a random time.
SCRIPT = """
import itertools, json, os, random, signal, sys, time
from pathlib import Path
from easyllm_cli.config.edit import write_setting
from easyllm_cli.config.profiles_file import parse_profiles

path = Path(sys.argv[1])
write_setting(path, "p0", "seed", "0")  # everything is imported

def edit(number):
    for step in itertools.count():
        write_setting(path, f"p{step % 40}", "seed", str(number))

def killed_at(step):
    left = [step]
    def hook(event, arguments):
        if event in {"open", "os.rename", "os.remove", "fcntl.flock", "os.chmod"}:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

ends = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        if number % 2:
            killed_at(1 + number // 2)
        edit(number)
    if not number % 2:
        time.sleep(random.random() / 20)
        os.kill(child, signal.SIGKILL)
    ends.append(os.waitpid(child, 0)[1])
    found = parse_profiles(path, path.read_text("utf-8"))
    assert len(found.tables) == 41, number
    for name in found.tables:
        found.resolve_profile(name)
print(json.dumps(ends))
"""


def test_fault_56_kill_9_of_the_real_command(easyllm: Easyllm) -> None:
    """Kill it at each file operation in its folder in turn, until it survives them all."""
    path = easyllm.write_profiles("".join(f"# {name}\n{TABLE.format(name)}" for name in "abc"))
    before = path.read_text("utf-8")
    events, ends = ("open", "os.rename", "os.chmod", "os.remove"), []
    for event in events:
        for nth in range(1, 12):
            env = signal_hook_environment(easyllm.home, event, "profiles", signal.SIGKILL, nth)
            ran = easyllm.run("profiles", "set", "b", "seed", str(nth), env=env)
            profiles = read_profiles(str(path))
            assert [profiles.resolve_profile(name).model for name in "abc"] == ["a", "b", "c"]
            lines = path.read_text("utf-8").splitlines()
            assert [line for line in lines if not line.startswith("seed")] == before.splitlines()
            ends.append(ran.code)
            if ran.code == 0:
                assert profiles.resolve_profile("b").seed == nth
                break
    assert ends.count(0) == len(events)
    assert ends.count(-signal.SIGKILL) == len(ends) - len(events) > 3


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.full)])
def test_fault_56_kill_9_while_writing(tmp_path: Path, times: int) -> None:
    path = tmp_path / "profiles.toml"
    tables = [
        f'# about {number}\n[profiles.p{number}]\nprovider = "openai"\nmodel = "{number}"\n'
        for number in range(40)
    ]
    path.write_text("\n".join([*tables, '[profiles.last]\nextends = "p0"\n']))
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(times)], stdout=subprocess.PIPE, timeout=120
    )
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == [9] * times
    profiles = read_profiles(str(path))
    assert [profiles.resolve_profile(f"p{number}").model for number in range(40)] == [
        str(number) for number in range(40)
    ]
    assert path.read_text("utf-8").count("# about") == 40
    if times == 100:
        assert max(profiles.resolve_profile(f"p{number}").seed or 0 for number in range(40)) > 0
    assert {file.name for file in tmp_path.iterdir()} <= {
        "profiles.toml", ".profiles.toml.lock", ".profiles.toml.new"
    }  # fmt: skip
