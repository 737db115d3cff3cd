"""profiles.toml: how it is found and read, merged along `extends`, and a profile selected."""

import os
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.profiles_file import profile_from_selector, read_profiles
from easyllm_cli.config.settings import Timeout
from easyllm_cli.config.value_sources import resolve_settings
from easyllm_cli.errors import ConfigError
from easyllm_cli.vendors import VENDORS
from tests.support.another_user import as_another_user
from tests.support.profile_files import PROFILE_A, write_and_read_profiles


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def test_a_file_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such profiles file"):
        read_profiles(str(path))
    with pytest.raises(ConfigError, match="not a regular file"):
        read_profiles(str(tmp_path))
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="not a regular file"):
        read_profiles(str(path))
    path.unlink()
    path.write_bytes(b"a = 1\n\xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 6"):
        read_profiles(str(path))
    with pytest.raises(ConfigError):
        read_profiles("~no-such-user-here/profiles.toml")


def test_file_without_read_permission() -> None:
    def read_it() -> str:
        path = Path(f"/tmp/easyllm-profiles-{os.getpid()}")
        path.touch(mode=0o000)
        try:
            return str(read_profiles(str(path)).names)
        finally:
            path.unlink()

    assert "ConfigError: the profiles file cannot be read: Perm" in as_another_user(read_it)


def test_built_in_names_need_no_file() -> None:
    profiles = read_profiles()
    assert profiles.path is None
    for name in VENDORS:
        assert (profiles.resolve_profile(name).provider, profiles.resolve_profile(name).name) == (
            name,
            name,
        )


def test_base_url_is_an_alias_along_extends_too(path: Path) -> None:
    text = (
        PROFILE_A
        + 'endpoint = "http://h/1"\n[profiles.b]\nextends = "a"\nbase_url = "http://h/2"\n'
    )
    profiles = write_and_read_profiles(path, text)
    assert profiles.resolve_profile("a").endpoint == "http://h/1"
    assert profiles.resolve_profile("b").endpoint == "http://h/2"


CHAIN = """
[profiles.base]
extends = "openai"
temperature = 0.5
api_key_env = "ONE"
headers = { a = "1", b = "2" }
timeout = { idle = 5, connect = 3 }
[profiles.middle]
extends = "base"
model = "m"
headers = { b = "3" }
[profiles.top]
extends = "middle"
temperature = 0.0
api_key_file = "two"
timeout = { idle = 7 }
"""


def test_extends_merges_tables(path: Path) -> None:
    top = write_and_read_profiles(path, CHAIN).resolve_profile("top")
    assert (top.name, top.provider, top.model, top.temperature) == ("top", "openai", "m", 0.0)
    assert top.headers == {"a": "1", "b": "3"}
    assert top.timeout == Timeout(connect=3, idle=7)
    assert (top.api_key_env, top.api_key_file) == (None, "two")


def test_a_profile_of_a_built_in_name_may_extend_it(path: Path) -> None:
    text = '[profiles.openai]\nextends = "openai"\nmodel = "mine"\n'
    profiles = write_and_read_profiles(path, text + '[profiles.b]\nextends = "openai"\n')
    assert profiles.resolve_profile("openai").model == profiles.resolve_profile("b").model == "mine"
    assert profiles.resolve_profile("b").provider == "openai"
    assert profiles.names.count("openai") == 1


@pytest.mark.parametrize(("key", "value"), [("api_key", '"sk-1"'), ("api_key_cmd", '"echo k"')])
def test_fault_59_and_61_keys_need_a_private_file(path: Path, key: str, value: str) -> None:
    text = (
        PROFILE_A
        + f"{key} = {value}\n[profiles.b]\nprovider = 'openai'\n[profiles.c]\nextends = 'a'\n"
    )
    assert write_and_read_profiles(path, text, 0o600).resolve_profile("a").provider == "openai"
    for mode in (0o644, 0o640, 0o604):
        profiles = write_and_read_profiles(path, text, mode)
        assert profiles.resolve_profile("b").provider == "openai"
        for name in ("a", "c"):
            with pytest.raises(ConfigError, match=f"and {key} needs a private file"):
                profiles.resolve_profile(name)


def test_fault_61_the_current_folder_is_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("profiles.toml", "easyllm/profiles.toml", ".config/easyllm/profiles.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PROFILE_A)
    (tmp_path / ".env").write_text("EASYLLM_PROFILE=a\n")
    monkeypatch.chdir(tmp_path)
    assert read_profiles().path is None
    monkeypatch.setenv("XDG_CONFIG_HOME", ".")
    assert read_profiles().path is None


def test_where_the_file_is_looked_for(
    path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = home / ".config" / "easyllm" / "profiles.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text(PROFILE_A)
    assert read_profiles().path == usual
    other = tmp_path / "xdg" / "easyllm" / "profiles.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert read_profiles().path is None
    other.parent.mkdir(parents=True)
    other.write_text(PROFILE_A)
    assert read_profiles().path == other
    path.write_text(PROFILE_A)
    monkeypatch.setenv("EASYLLM_PROFILES", str(path))
    assert read_profiles().path == path
    assert read_profiles(str(usual)).path == usual
    (home / "own.toml").write_text(PROFILE_A)
    monkeypatch.setenv("EASYLLM_PROFILES", "~/own.toml")
    assert read_profiles().path == home / "own.toml"


ASKED: list[tuple[str | None, str | None, dict[str, str], str, str | None]] = [
    ("a", None, {}, "a", "file"),
    ("a:", None, {}, "a", "file"),
    ("ollama:mistral:7b", None, {}, "ollama", "mistral:7b"),
    ("ollama:mistral:7b", "flag:1b", {}, "ollama", "flag:1b"),
    (None, None, {}, "d", "default"),
    (None, "flag", {}, "d", "flag"),
    (None, None, {"PROFILE": "a"}, "a", "file"),
    (None, None, {"PROFILE": "a", "MODEL": "env:7b"}, "a", "env:7b"),
    (None, "flag", {"PROFILE": "a", "MODEL": "env"}, "a", "flag"),
    (None, None, {"PROFILE": "a:own"}, "a", "own"),
    (None, None, {"MODEL": "env"}, "d", "env"),
    ("a", None, {"PROFILE": "d", "MODEL": "env"}, "a", "file"),
    (None, None, {"PROFILE": "", "MODEL": ""}, "d", "default"),
]


@pytest.mark.parametrize(("named", "model", "variables", "name", "chosen"), ASKED)
def test_the_order_of_flag_variables_and_file(
    path: Path, monkeypatch: pytest.MonkeyPatch,
    named: str | None, model: str | None, variables: dict[str, Any], name: str, chosen: str | None,
) -> None:  # fmt: skip
    text = 'default_profile = "d"\n' + PROFILE_A + 'model = "file"\n'
    profiles = write_and_read_profiles(
        path, text + '[profiles.d]\nprovider = "openai"\nmodel = "default"\n'
    )
    for variable, value in variables.items():
        monkeypatch.setenv(f"EASYLLM_{variable}", value)
    profile = profile_from_selector(profiles, named, model)
    assert (profile.name, profile.model) == (name, chosen)


def test_no_profile_anywhere_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"no profile is chosen.*-p ollama"):
        profile_from_selector(read_profiles(), None, None)


ABSURD = {
    "a key": "{}=1",
    "a table": "[{}]",
    "an array of tables": "[[{}]]",
    "an inline table": "a = {{ b = 1, {} = 2 }}",
    "behind a long text": 'a = """\n"" .\n"""\n{} = 1',
    "behind a quote that is escaped": 'a = "\\"" # "\n{} = 1',
}


@pytest.mark.parametrize("part", ["a.", "a . ", '"a".', "'a'.", '"a.b".', "\t-\t."])
@pytest.mark.parametrize("where", ABSURD)
def test_a_key_of_thousands_of_dots_is_refused_before_it_is_parsed(
    path: Path, part: str, where: str
) -> None:
    """Parsing takes time quadratic in the key's length: minutes for half a megabyte.

    A tenth of a megabyte shows that it is not parsed, and that the check itself is linear.
    """
    text = ABSURD[where].format(part * (100_000 // len(part)) + "a")
    with pytest.raises(ConfigError, match="a key has more than 100 dots") as caught:
        write_and_read_profiles(path, text)
    assert f":{text.count(chr(10)) + 1}" in caught.value.where


@pytest.mark.parametrize(
    "value",
    ['"{}"', "'{}'", '"""\n{}"""', "'''\n{}'''", '"\\"{}"', "1 # {}", '"""\n"" \\" {}"""'],
)
def test_dots_in_texts_and_comments_are_no_keys(path: Path, value: str) -> None:
    text = (
        PROFILE_A + f"options.a = {value.format('etc. ' * 1000)}\noptions.b = [{'1.5, ' * 500}]\n"
    )
    options = (
        write_and_read_profiles(path, text + f"options.{'d.' * 90}c = 1\n")
        .resolve_profile("a")
        .options
    )
    assert options is not None
    assert options["b"] == [1.5] * 500


def test_a_long_chain_of_profiles_is_read_at_once(path: Path) -> None:
    count = 20_000
    chain = [f'[profiles.p{n}]\nextends = "p{n + 1}"\n' for n in range(count)]
    assert (
        write_and_read_profiles(path, "".join(chain) + PROFILE_A.replace(".a]", f".p{count}]"))
        .resolve_profile("p0")
        .provider
    )


def test_error_after_a_comment_of_many_quotes_has_its_place(path: Path) -> None:
    with pytest.raises(ConfigError, match='unknown key "nope"') as caught:
        write_and_read_profiles(path, '# "' + '\\"' * 400_000 + "\nnope = 1\n")
    assert caught.value.where == f"{path}:2:1"


def test_history_of_the_file_holds_for_profiles_without_their_own(path: Path) -> None:
    path.write_text(
        'history = "off"\nhistory_keep = "90d"\n[profiles.a]\nprovider = "ollama"\n'
        '[profiles.b]\nextends = "a"\nhistory = "full"\n[profiles.c]\nextends = "b"\n',
        "utf-8",
    )
    profiles = read_profiles(str(path))
    modes = [profiles.resolve_profile(name).history for name in ("a", "b", "c", "openai")]
    assert modes == ["off", "full", "full", "off"]
    sources = {
        name: next(
            each.source for each in resolve_settings(profiles, name) if each.key == "history"
        )
        for name in ("a", "b")
    }
    assert sources == {"a": f"{path}:1", "b": f"{path}:7"}


def test_history_keep_is_a_length_of_time(path: Path) -> None:
    path.write_text('history_keep = "1y"\n', "utf-8")
    with pytest.raises(ConfigError, match="no length of time") as caught:
        read_profiles(str(path))
    assert caught.value.where == f"{path}:1:1"
    path.write_text('history_keep = "0d"\n', "utf-8")
    with pytest.raises(ConfigError, match="no length of time above 0"):
        read_profiles(str(path))
