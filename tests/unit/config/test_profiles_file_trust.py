"""A profiles file is trusted if the user or root owns it and nobody else can write it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from easyllm_cli.config.credentials import resolve_api_key
from easyllm_cli.config.endpoints import resolve_endpoint
from easyllm_cli.config.key_store import load_key, store_key
from easyllm_cli.config.profile import Profile
from easyllm_cli.config.profiles_file import read_profiles
from easyllm_cli.errors import ConfigError
from easyllm_cli.secret import Secret
from tests.support.another_user import as_another_user
from tests.support.profile_files import PROFILE_A

SOMEBODY = 65533
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows runs without mode checks")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A valid profiles file in a folder with blanks and quotes in its name."""
    folder = tmp_path / "my 'own' $HOME"
    folder.mkdir(mode=0o755)
    file = folder / "the profiles.toml"
    file.write_text(PROFILE_A)
    file.chmod(0o644)
    return file


def refused(path: Path) -> str:
    """The hint of the error."""
    with pytest.raises(ConfigError) as caught:
        read_profiles(str(path))
    assert caught.value.exit_code == 2
    return caught.value.hint


def run_hint(hint: str) -> None:
    subprocess.run(["sh", "-c", hint], check=True)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o600, 0o400, 0o755])
def test_a_file_that_nobody_else_can_write_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert "a" in read_profiles(str(path)).names


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o620, 0o602, 0o646, 0o622])
@pytest.mark.parametrize(
    "held", [PROFILE_A, "", "not TOML [", 'a = "\udcff"', "a" * (1 << 21)], ids=len
)
def test_a_file_that_others_can_write_is_refused_whatever_it_holds(
    path: Path, mode: int, held: str
) -> None:
    path.write_bytes(held.encode("utf-8", "surrogateescape"))
    path.chmod(mode)
    hint = refused(path)
    assert hint.startswith("chmod 600 ")
    run_hint(hint)
    assert path.stat().st_mode & 0o777 == 0o600


@needs_root
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_of_somebody_else_is_refused(path: Path, mode: int) -> None:
    os.chown(path, SOMEBODY, SOMEBODY)
    path.chmod(mode)
    assert "chown 0 " in refused(path)
    with pytest.raises(ConfigError, match=f"belongs to somebody else .uid {SOMEBODY}"):
        read_profiles(str(path))


@needs_root
def test_a_file_of_root_is_read_by_everybody() -> None:
    path = Path(f"/tmp/easyllm-root-{os.getpid()}.toml")
    path.write_text(PROFILE_A)
    path.chmod(0o644)
    try:
        assert as_another_user(lambda: " ".join(read_profiles(str(path)).tables)) == "a"
    finally:
        path.unlink()


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o773])
def test_a_folder_that_others_can_write_is_refused(path: Path, mode: int) -> None:
    path.parent.chmod(mode)
    hint = refused(path)
    assert hint.startswith("chmod o-w ")
    run_hint(hint)
    assert "a" in read_profiles(str(path)).names


def test_sticky_folder_is_trusted(path: Path) -> None:
    path.parent.chmod(0o1777)
    assert "a" in read_profiles(str(path)).names


@needs_root
def test_a_folder_of_somebody_else_is_refused(path: Path) -> None:
    os.chown(path.parent, SOMEBODY, SOMEBODY)
    with pytest.raises(ConfigError, match="the folder of the profiles file belongs to somebody"):
        read_profiles(str(path))


def test_file_name_alone_means_the_current_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    assert "a" in read_profiles(path.name).names
    path.parent.chmod(0o777)
    refused(Path(path.name))


def linked(path: Path) -> tuple[Path, Path]:
    """Two links, the second pointing to the first, each in a folder of its own."""
    first, second = path.parent.parent / "1" / "link", path.parent.parent / "2" / "link"
    for link, target in ((first, path), (second, Path("../1/link"))):
        link.parent.mkdir()
        link.symlink_to(target)
    return first, second


def test_link_to_a_trusted_file_is_followed(path: Path) -> None:
    assert "a" in read_profiles(str(linked(path)[1])).names


SPOILT: dict[str, Callable[[Path, Path, Path], None]] = {
    "the file": lambda path, *_: path.chmod(0o666),
    "the file's folder": lambda path, *_: path.parent.chmod(0o777),
    "a link's folder": lambda _, first, __: first.parent.chmod(0o777),
    "the named link's folder": lambda *two: two[-1].parent.chmod(0o777),
}


@pytest.mark.parametrize("what", SPOILT)
def test_every_step_along_a_link_must_be_trusted(path: Path, what: str) -> None:
    first, second = linked(path)
    SPOILT[what](path, first, second)
    run_hint(refused(second))
    assert "a" in read_profiles(str(second)).names


@needs_root
def test_a_link_of_somebody_else_in_a_sticky_folder_is_refused(path: Path) -> None:
    first, _ = linked(path)
    first.parent.chmod(0o1777)
    os.chown(first, SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(ConfigError, match="the link to the profiles file belongs to somebody"):
        read_profiles(str(first))


def test_a_key_file_in_a_folder_that_others_can_write_is_refused(path: Path) -> None:
    """They could replace it by a link, and have another of the user's files sent as a key."""
    path.write_text("sk-test-0123456789")
    path.chmod(0o600)
    path.parent.chmod(0o777)
    profile = Profile.of({"provider": "openai", "api_key_file": str(path)})
    with pytest.raises(ConfigError, match="can be written by others"):
        resolve_api_key(profile, resolve_endpoint(profile))
    path.parent.chmod(0o1777)
    assert resolve_api_key(profile, resolve_endpoint(profile)) is not None


def test_no_key_is_stored_in_a_folder_that_others_can_write(home: Path) -> None:
    folder = home / ".config" / "easyllm"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=f"chmod o-w {folder}"):
        store_key("work", Secret("sk-test-0123456789"))
    assert list(folder.iterdir()) == []
    folder.chmod(0o755)
    store_key("work", Secret("sk-test-0123456789"))
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=f"chmod o-w {folder}"):
        load_key("work")
