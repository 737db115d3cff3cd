"""Every error in profiles.toml names its file, line and column (FAULT-65)."""

from pathlib import Path

import pytest

from easyllm_cli.errors import ConfigError
from easyllm_cli.private_file import MAX_PRIVATE_FILE_BYTES
from easyllm_cli.vendors import VENDORS
from tests.support.profile_files import PROFILE_A, write_and_read_profiles


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def error_for(path: Path, text: str, name: str = "a") -> ConfigError:
    """The error that a file gives; the file itself stays unchanged."""
    with pytest.raises(ConfigError) as caught:
        write_and_read_profiles(path, text).resolve_profile(name)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert path.read_text("utf-8") == text
    return caught.value


PLACES = [
    ("x = 1\ny = [", "a", ":2:", "not valid TOML"),
    ('[profiles.a]\nmodel = "open', "a", ":2:14", "not valid TOML"),
    ("[profiles.a]\nprovider = openai\n", "a", ":2:12", "not valid TOML"),
    (PROFILE_A + PROFILE_A, "a", ":3:", "not valid TOML"),
    ("x = " + "1" * 5000, "a", "", "not valid TOML"),
    ('# top\ndefault_profil = "a"\n', "a", ":2:1", 'did you mean "default_profile"'),
    (PROFILE_A + '  modle = "x"\n', "a", ":3:3", 'did you mean "model"'),
    (PROFILE_A + "temperature = true\n", "a", ":3:1", "temperature must be a number, not true"),
    (PROFILE_A + 'temperature = "hot"\n', "a", ":3:1", 'must be a number, not "hot"'),
    (PROFILE_A + "max_tokens = 1.5\n", "a", ":3:1", "max_tokens must be a whole number"),
    (PROFILE_A + "model = 5\n", "a", ":3:1", "model must be text, not a number"),
    (PROFILE_A + "temperature = 2.5\n", "a", ":3:1", "between 0 and 2"),
    (PROFILE_A + "max_tokens = 0\n", "a", ":3:1", "at least 1"),
    (PROFILE_A + "temperature = nan\n", "a", ":3:1", "temperature"),
    (PROFILE_A + "timeout = { idle = nan }\n", "a", ":3:13", "idle"),
    (PROFILE_A + 'reasoning = "hihg"\n', "a", ":3:1", "off | minimal"),
    (PROFILE_A + "timeout = 5\n", "a", ":3:1", "timeout must be a table"),
    (
        PROFILE_A + "timeout = { idle = 5, frist_token = 1 }\n",
        "a",
        ":3:23",
        'did you mean "first_token"',
    ),
    (PROFILE_A + "[profiles.a.timeout]\nidle = 0\n", "a", ":4:1", "above 0"),
    (PROFILE_A + "\n[profiles.b]\ntop_p = 0.5\n\n[profiles.c]\ntop_p = 7\n", "c", ":8:1", "top_p"),
    ('[profiles."a"]\nprovider = "openai"\ntop_k = -1\n', "a", ":3:1", "top_k"),
    (PROFILE_A + "# temperature = 5\ntemperature = 5\n", "a", ":4:1", "temperature"),
    (PROFILE_A + 'system = "say: temperature = 5"\ntemperature = 5\n', "a", ":4:1", "temperature"),
    (PROFILE_A + 'api_key_env = "A"\napi_key_file = "b"\n', "a", ":4:1", "two sources"),
    ('[profiles.a]\nmodel = "x"\n', "a", ":1:1", "names no provider"),
    ('\n[profiles.a]\nextends = "opnai"\n', "a", ":3:1", 'did you mean "openai"'),
    ("[profiles]\na = 5\n", "a", ":", "must be a table"),
    ("profiles = 5\n", "a", "", "must be tables"),
    ("\ndefault_profile = 5\n", "a", ":2:1", "default_profile must be text, not a number"),
    (PROFILE_A, "b", "", 'no profile "b"'),
    (PROFILE_A, "opnai", "", 'did you mean "openai"'),
]


@pytest.mark.parametrize(("text", "name", "place", "says"), PLACES)
def test_error_names_its_place(path: Path, text: str, name: str, place: str, says: str) -> None:
    line = str(error_for(path, text, name))
    assert says in line
    assert f"{path}{place}" in line


def test_fault_65_large_and_deeply_nested_files(path: Path) -> None:
    assert "nested too deeply" in str(error_for(path, "a = " + "[" * 5000))
    assert "larger than 1 MiB" in str(error_for(path, "#" * (MAX_PRIVATE_FILE_BYTES + 1)))
    assert write_and_read_profiles(path, "#" * MAX_PRIVATE_FILE_BYTES).names == [*VENDORS]


def test_error_in_an_extended_profile_names_that_profiles_place(path: Path) -> None:
    error = error_for(path, PROFILE_A + 'modle = "x"\n[profiles.b]\nextends = "a"\n', "b")
    assert f"{path}:3:1" in str(error)


CIRCLES = [
    '[profiles.a]\nextends = "a"\n',
    '[profiles.a]\nextends = "b"\n[profiles.b]\nextends = "a"\n',
]


@pytest.mark.parametrize("text", CIRCLES)
def test_extends_cycle_is_an_error_without_a_suggestion(path: Path, text: str) -> None:
    error = error_for(path, text)
    assert f"{path}:" in str(error)
    assert "did you mean" not in str(error)


def test_an_auto_profile_as_a_fallback_is_named_with_its_place(path: Path) -> None:
    auto = '[profiles.x]\nprovider = "auto"\ncandidates = ["b", "c"]\n'
    profiles = write_and_read_profiles(path, PROFILE_A + f'fallback = ["openai", "x"]\n{auto}')
    profile = profiles.resolve_selector("a:other-model")
    with pytest.raises(ConfigError, match='"x" is an auto profile') as caught:
        profiles.resolve_fallbacks(profile)
    assert caught.value.where == f"{path}:3:1"
