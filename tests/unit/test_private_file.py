"""Private files: mode 0600 under any umask, written whole or not at all, one writer at a time."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from easyllm_cli import file_lock
from easyllm_cli.errors import OutputError
from easyllm_cli.private_file import lock_file, open_regular, replace_file, write_new_file
from tests.support.another_user import as_another_user


def write(path: Path, data: bytes) -> None:
    with lock_file(path) as real:
        replace_file(real, data)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    usual = os.umask(request.param)
    yield
    os.umask(usual)


@pytest.mark.usefixtures("umask")
def test_modes_under_any_umask(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write(path, b"1")
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    path.chmod(0o644)
    write(path, b"2")
    assert (mode(path), path.read_bytes()) == (0o600, b"2")


def test_a_file_that_is_read_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    path.chmod(0o444)
    for flags in (os.O_RDONLY, os.O_RDONLY | os.O_CREAT):
        os.close(open_regular(path, flags))
        assert mode(path) == 0o444


def test_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write(tmp_path / "file", b"1")
    assert mode(tmp_path) == 0o755


def test_symlink_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    path = tmp_path / "file"
    path.symlink_to("dotfiles/file")
    for data in (b"1", b"2"):
        write(path, data)
        assert path.is_symlink()
        assert (tmp_path / "dotfiles" / "file").read_bytes() == data


def test_leftover_of_a_killed_writer_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"safe")
    (tmp_path / ".file.new").symlink_to(target)
    write(tmp_path / "file", b"1")
    assert (tmp_path / "file").read_bytes() == b"1"
    assert target.read_bytes() == b"safe"
    assert not os.path.lexists(tmp_path / ".file.new")


def test_write_new_file_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_new_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written: File too large.*: make room"):
            write(path, b"x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, usual)
    assert path.read_bytes() == b"old"
    assert not (tmp_path / ".file.new").exists()


def test_folder_without_permission() -> None:
    def write_it() -> str:
        write(Path("/proc/nowhere/file"), b"1")
        return "written"

    assert as_another_user(write_it).startswith("OutputError: cannot be written")


def test_lock_that_is_never_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "LOCK_TIMEOUT_SECONDS", 0.05)
    path = tmp_path / "file"
    with lock_file(path):
        with pytest.raises(OutputError, match="another easyllm has been writing"):
            write(path, b"1")
        assert not path.exists()
    write(path, b"2")
    assert path.read_bytes() == b"2"
