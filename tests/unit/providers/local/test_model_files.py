"""Embedded models: what the demo model's file must be, and what pip's silence means."""

import os
import shutil
from pathlib import Path

import pytest

from easyllm_cli.errors import ConfigError, NetworkError, OutputError
from easyllm_cli.providers.local.download import REQUIRED_FREE_BYTES, error_from_pip_output
from easyllm_cli.providers.local.model_file_check import is_intact_demo, require_model_file
from easyllm_cli.providers.local.model_files import DEMO_BYTES, DEMO_MODEL, model_path
from tests.support.servers import setup


@pytest.fixture
def demo(home: Path, servers_set_up: None) -> Path:
    """The demo model where `easyllm pull` puts it."""
    path = model_path(DEMO_MODEL)
    path.parent.mkdir(parents=True)
    shutil.copyfile(setup.MODEL, path)
    return path


def change_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(DEMO_BYTES // 2)
        byte = file.read(1)[0]
        file.seek(DEMO_BYTES // 2)
        file.write(bytes([byte ^ 1]))


def test_a_demo_model_that_was_changed_is_not_run(demo: Path) -> None:
    assert require_model_file(demo, "model file") == demo
    change_a_byte(demo)
    for _ in range(2):
        with pytest.raises(ConfigError, match="the small demo model is damaged"):
            require_model_file(demo, "model file")
    change_a_byte(demo)
    assert require_model_file(demo, "model file") == demo


def test_its_bytes_are_read_again_only_when_it_has_changed(demo: Path) -> None:
    """Told by size and time of change: to read 98 MB at every question would cost too much."""
    assert require_model_file(demo, "model file") == demo
    seen = demo.stat()
    change_a_byte(demo)
    os.utime(demo, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert require_model_file(demo, "model file") == demo
    assert not is_intact_demo(demo, force_read=True), "pull reads them in any case"
    os.utime(demo, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    with pytest.raises(ConfigError, match="damaged"):
        require_model_file(demo, "model file")


def test_a_note_that_is_damaged_or_cannot_be_written_is_no_harm(demo: Path) -> None:
    note = demo.with_name(f"{DEMO_MODEL}.checked")
    note.mkdir()
    assert require_model_file(demo, "model file") == demo
    note.rmdir()
    note.write_bytes(b"\xff" * 5000)
    assert require_model_file(demo, "model file") == demo
    assert note.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in demo.parent.iterdir()) == [
        f"{DEMO_MODEL}.checked",
        demo.name,
    ]


@pytest.mark.parametrize("said", ["", "something nobody knows", "Exception: \n"])
def test_a_pip_that_says_nothing_of_use_on_a_full_disk(said: str) -> None:
    full, roomy = (
        error_from_pip_output(said, "x==1", room)
        for room in (REQUIRED_FREE_BYTES - 1, REQUIRED_FREE_BYTES)
    )
    assert isinstance(full, OutputError)
    assert full.hint == "make room, or set XDG_DATA_HOME"
    assert isinstance(roomy, NetworkError)


@pytest.mark.parametrize(
    "said",
    [
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "OSError: [Errno 122] Disk quota exceeded",
        "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/x', '/tmp']",
        "WARNING: Connection broken by OSError\nOSError: [Errno 27] File too large",
    ],
)
def test_a_disk_that_is_full_is_no_failure_of_the_network(said: str) -> None:
    assert isinstance(error_from_pip_output(said, "x==1", 10**12), OutputError)
