"""load_profile: a profile by name, as `-p` finds it, for programs."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import ConfigError, Profile, load_profile
from easyllm_cli.config.profiles_file import read_profiles
from easyllm_cli.providers.provider_cache import ProviderCache
from easyllm_cli.vendors import VENDORS
from tests.support.profile_files import PROFILE_A

PROFILE_B = '[profiles.b]\nextends = "a"\nmodel = "m"\nstop = ["x"]\noptions = { user = "u" }\n'


@pytest.fixture
def users_file(home: Path) -> Path:
    """The user's profiles file, with the profiles a and b."""
    file = home / ".config" / "easyllm" / "profiles.toml"
    file.parent.mkdir(parents=True)
    file.write_text(PROFILE_A + PROFILE_B)
    return file


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    file = tmp_path / "other.toml"
    file.write_text('[profiles.b]\nprovider = "ollama"\n')
    return file


def test_the_file_is_found_as_the_command_finds_it(
    users_file: Path, other_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_profile("b").provider == "openai"  # through extends
    assert load_profile("b", path=other_file).provider == "ollama"
    assert load_profile("b", path=str(other_file)).provider == "ollama"
    monkeypatch.setenv("EASYLLM_PROFILES", str(other_file))
    assert load_profile("b").provider == "ollama"
    assert load_profile("b", path=users_file).provider == "openai"


def test_a_selector_and_a_model(users_file: Path) -> None:
    assert users_file.exists()
    assert load_profile("b").model == "m"
    assert load_profile("b:v/x:7b").model == "v/x:7b"
    assert load_profile("b:v/x:7b", "gpt-4o").model == "gpt-4o"
    assert load_profile("b", model="gpt-4o:free").model == "gpt-4o:free"


def test_variables_of_the_command_line_choose_no_profile_or_model(
    users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert users_file.exists()
    monkeypatch.setenv("EASYLLM_PROFILE", "a")
    monkeypatch.setenv("EASYLLM_MODEL", "other")
    assert (load_profile("b").name, load_profile("b").model) == ("b", "m")
    with pytest.raises(ConfigError, match='no profile ""'):
        load_profile("")


def test_built_in_names_need_no_file() -> None:
    for name in VENDORS:
        assert load_profile(name) == Profile(name=name, provider=name)
    assert load_profile("ollama:mistral:7b").model == "mistral:7b"


def test_the_current_folder_is_never_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("profiles.toml", "easyllm/profiles.toml", ".config/easyllm/profiles.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PROFILE_A)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match='no profile "a"'):
        load_profile("a")
    assert load_profile("a", path="profiles.toml").name == "a"  # the caller says so


WRONG: list[tuple[Any, str]] = [
    ("c", 'no profile "c"'),
    ("gpt-4o", "openai:gpt-4o"),
    (None, "must be text, not NoneType"),
    ({"provider": "openai"}, "must be text, not dict"),
]


@pytest.mark.parametrize(("name", "says"), WRONG, ids=str)
def test_wrong_names(users_file: Path, name: Any, says: str) -> None:
    assert users_file.exists()
    with pytest.raises(ConfigError) as caught:
        load_profile(name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_unsafe_is_refused(users_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such profiles file"):
        load_profile("ollama", path=tmp_path / "nowhere.toml")
    load_profile("a")
    users_file.chmod(0o666)  # unchanged text, but somebody else may have written it
    with pytest.raises(ConfigError, match="can be written by others"):
        load_profile("a")
    users_file.write_text(PROFILE_A + 'api_key = "k"\n')
    users_file.chmod(0o600)
    load_profile("a")
    users_file.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        load_profile("a")


def test_the_file_is_parsed_again_only_if_it_changes(users_file: Path) -> None:
    first = read_profiles()
    assert read_profiles() is first
    status = users_file.stat()
    users_file.write_text(users_file.read_text().replace('"m"', '"n"'))
    os.utime(users_file, ns=(status.st_atime_ns, status.st_mtime_ns))  # same size, same time
    assert load_profile("b").model == "n"
    users_file.write_text("[")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_profile("b")
    users_file.unlink()
    with pytest.raises(ConfigError, match='no profile "b"'):
        load_profile("b")


def test_a_changed_list_or_table_does_not_change_the_next_profile(users_file: Path) -> None:
    assert users_file.exists()
    profile = load_profile("b")
    assert profile.options is not None
    assert isinstance(profile.stop, list)
    profile.options["user"] = "other"
    profile.stop.append("y")
    assert (load_profile("b").options, load_profile("b").stop) == ({"user": "u"}, ["x"])


def test_a_nested_table_that_needs_too_much_stack_is_an_error(users_file: Path) -> None:
    users_file.write_text(PROFILE_A + f"options = {{ x = {'[' * 450}{']' * 450} }}\n")

    def load_below(frames: int) -> Profile:
        return load_below(frames - 1) if frames else load_profile("a")

    with ThreadPoolExecutor(1) as pool:  # a thread begins with an empty stack
        assert pool.submit(load_below, 0).result().options
        with pytest.raises(ConfigError, match="nested too deeply"):
            pool.submit(load_below, 150).result()


def test_a_profile_equals_one_that_the_program_writes(users_file: Path) -> None:
    loaded = load_profile("a")
    assert loaded.profiles_path == str(users_file)
    assert replace(loaded, profiles_path=None) == Profile(name="a", provider="openai")
    assert replace(loaded, model="m").profiles_path == str(users_file)


def test_a_profile_loaded_twice_has_one_provider(users_file: Path) -> None:
    assert users_file.exists()

    async def load_both() -> bool:
        cache = ProviderCache()
        return cache.get(load_profile("b")) is cache.get(load_profile("b"))

    assert asyncio.run(load_both())
