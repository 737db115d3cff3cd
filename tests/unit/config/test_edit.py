"""Edits of profiles.toml keep comments and order, and never write an invalid file."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config import edit
from easyllm_cli.config.profiles_file import read_profiles
from easyllm_cli.errors import ConfigError, EasyLLMError, UsageError
from tests.support import ROOT

EXAMPLE = ROOT / "profiles.example.toml"
TABLES = tomllib.loads(EXAMPLE.read_text("utf-8"))["profiles"]
# An auto profile takes none of the keys that the tests set.
NAMES = [name for name, table in TABLES.items() if table.get("provider") != "auto"]
TWO = """\
# top
default_profile = "a" # mine

# about a
[profiles.a]
provider = "ollama"   # here
model = "m"

# about b
[profiles.b]
extends = "a"
"""

PIECES = '[profiles.a]\nprovider = "ollama"\n[profiles.b]\nprovider = "openai"\n'
PIECES += "[profiles.a.timeout]\nidle = 1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "profiles.toml"
    file.write_text(TWO)
    file.chmod(0o600)
    return file


def tables(path: Path) -> dict[str, Any]:
    profiles: dict[str, Any] = tomllib.loads(path.read_text("utf-8")).get("profiles", {})
    return profiles


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def neighbourhood(name: str) -> str:
    """The part of the example file with a profile's table, the one before it and the one after it.

    Nothing else lies where an edit of it works; tests/fuzzing/test_profile_files.py edits the whole
    file, which takes ten times as long.
    """
    parts = re.split(r"^(?=\[)", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    (own,) = [at for at, part in enumerate(parts) if part.startswith(f"[profiles.{name}]\n")]
    return "".join(parts[own - 1 : own + 2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["seed", "timeout.idle", "options.deep.er", "headers.X-New"])
def test_setting_and_removing_a_key_restores_every_byte(path: Path, name: str, key: str) -> None:
    """For every form in the example file; an empty table may remain where a nested key was."""
    whole = neighbourhood(name)
    path.write_text(whole)
    had = key.partition(".")[0] in tables(path)[name]
    if had and key in {"seed", "timeout.idle"}:
        return  # the profile sets it already; another test changes such values
    edit.write_setting(path, name, key, "5")
    text = path.read_text("utf-8")
    assert comments(text) == comments(whole)
    assert text != whole
    edit.write_setting(path, name, key if had else key.partition(".")[0], "null")
    if not (had and key == "options.deep.er"):
        assert path.read_text("utf-8") == whole


SET: list[tuple[str, str, str, Any]] = [
    ("model", "123", "model", "123"),
    ("model", "llama3.2:1b", "model", "llama3.2:1b"),
    ("temperature", "1", "temperature", 1),
    ("temperature", "0.5", "temperature", 0.5),
    ("stop", '["a", "b"]', "stop", ["a", "b"]),
    ("stop", "['a']", "stop", ["a"]),
    ("strict", "true", "strict", True),
    ("reasoning", "off", "reasoning", "off"),
    ("base_url", "http://127.0.0.1:1", "endpoint", "http://127.0.0.1:1"),
    ("timeout", "{ idle = 5 }", "timeout", {"idle": 5}),
    ("timeout.idle", "7", "timeout", {"idle": 7}),
    ("headers.X.Y", "5", "headers", {"X.Y": "5"}),
    ("options.a.b", '{"c": [1]}', "options", {"a": {"b": {"c": [1]}}}),
    ("options.when", "2024-01-01", "options", {"when": "2024-01-01"}),
    ("system", 'two\nlines "quoted" \x1b', "system", 'two\nlines "quoted" \x1b'),
    ("system", "", "system", ""),
    ("fallback", '["openai"]', "fallback", ["openai"]),
]


@pytest.mark.parametrize(("key", "text", "stored", "value"), SET)
def test_value_is_parsed_as_json_or_toml_or_else_text(
    path: Path, key: str, text: str, stored: str, value: Any
) -> None:
    edit.write_setting(path, "a", key, text)
    assert tables(path)["a"][stored] == value
    assert comments(path.read_text("utf-8")) == comments(TWO)
    assert read_profiles(str(path)).resolve_profile("b").provider == "ollama"


def test_new_key_is_inserted_before_the_next_tables_comment(path: Path) -> None:
    edit.write_setting(path, "a", "seed", "5")
    assert path.read_text("utf-8") == TWO.replace('model = "m"\n', 'model = "m"\nseed = 5\n')


def test_a_changed_key_keeps_its_place_and_comment(path: Path) -> None:
    edit.write_setting(path, "a", "provider", "openai")
    assert path.read_text("utf-8") == TWO.replace('"ollama"', '"openai"')


def test_alias_keeps_its_spelling(path: Path) -> None:
    path.write_text('[profiles.a]\nprovider = "openai"\nbase_url = "http://h/1"\n')
    edit.write_setting(path, "a", "endpoint", "http://h/2")
    assert tables(path)["a"] == {"provider": "openai", "base_url": "http://h/2"}


def test_add_creates_the_file_and_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "profiles.toml"
    edit.insert_profile(path, "r1", "openrouter:vendor/r1", ["reasoning=high", "timeout.idle=9"])
    expected = {"provider": "openrouter", "model": "vendor/r1", "reasoning": "high"}
    assert tables(path) == {"r1": {**expected, "timeout": {"idle": 9}}}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    edit.insert_profile(path, "two words.x", "r1:other:7b", [])
    assert tables(path)["two words.x"] == {"extends": "r1", "model": "other:7b"}
    edit.insert_profile(path, "cmd", "openai", ["api_key_cmd=pass show x"])
    assert read_profiles(str(path)).resolve_profile("cmd").api_key_cmd == "pass show x"


def test_add_keeps_the_existing_text(path: Path) -> None:
    edit.insert_profile(path, "c", "ollama", [])
    assert path.read_text("utf-8") == TWO + '\n[profiles.c]\nprovider = "ollama"\n'


def test_remove_and_default(path: Path) -> None:
    edit.write_default_profile(path, "b:other")
    assert read_profiles(str(path)).default_profile == "b:other"
    assert comments(path.read_text("utf-8")) == comments(TWO)
    assert edit.delete_profile(path, "b")
    assert (read_profiles(str(path)).default_profile, list(tables(path))) == ("", ["a"])
    edit.write_default_profile(path, "openai:gpt")
    header = '# top\n\ndefault_profile = "openai:gpt"\n'
    assert path.read_text("utf-8").startswith(f"{header}\n# about a\n[profiles.a]\n")
    assert not edit.delete_profile(path, "a")
    assert path.read_text("utf-8") == header


FORMS = [
    "profiles.a.provider = 'openai'\n",
    "[profiles]\na = { provider = 'openai' }\n",
    "profiles = { a = { provider = 'openai' } }\n",
    "[profiles.a]\r\nprovider = 'openai'\r\n",
    "[profiles.a]\nprovider = 'openai'\nsystem = '''\n[profiles.a]\n'''",
    "[profiles.a.timeout]\nidle = 5\n[profiles.a]\nprovider = 'openai'\n",
    PIECES,
]


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_a_table_is_edited(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    wanted = tables(path)
    edit.write_setting(path, "a", "model", "m")
    wanted["a"]["model"] = "m"
    assert tables(path) == wanted
    edit.write_default_profile(path, "a")
    assert (tables(path), read_profiles(str(path)).default_profile) == (wanted, "a")
    edit.delete_profile(path, "a")
    wanted.pop("a")
    assert (tables(path), read_profiles(str(path)).default_profile) == (wanted, "")


def test_comments_of_other_profiles_survive_a_removal(path: Path) -> None:
    path.write_text(
        "# file\n\n# x\n[profiles.x]\nprovider = 'openai'\n# of x\n\n" + TWO.partition("\n\n")[2]
    )
    edit.delete_profile(path, "x")
    assert path.read_text() == "# file\n\n" + TWO.partition("\n\n")[2]
    edit.delete_profile(path, "b")
    assert path.read_text() == "# file\n\n" + TWO.partition("\n\n")[2].partition("\n\n")[0] + "\n"


TABLE = "[profiles.x]\nprovider = 'openai'\n"
OTHER = "# about y\n[profiles.y]\nprovider = 'groq'\n"
REMOVALS = {
    "its comment, and the one of a table within": (
        f"{OTHER}\n# x\n# and more\n{TABLE}\n# its limits\n[profiles.x.timeout]\nidle = 5\n", OTHER
    ),
    "the comment of a key above stays": (
        f"{OTHER}# seed = 5\n{TABLE}", f"{OTHER}# seed = 5\n"
    ),
    "a heading over several tables stays": (
        f"# top\n\n# --- paid ---\n\n# x\n{TABLE}\n{OTHER}", f"# top\n\n# --- paid ---\n\n{OTHER}"
    ),
    "a comment that begins the file stays": (f"# mine\n{TABLE}\n{OTHER}", f"# mine\n\n{OTHER}"),
    "double blank lines of others stay": (
        f"{OTHER}\n\n# x\n{TABLE}\n\n# end\n\n\n# of file\n",
        f"{OTHER}\n\n# end\n\n\n# of file\n",
    ),
    "the default goes with its line": (
        f"# top\n\ndefault_profile = 'x'\n\n# x\n{TABLE}\n{OTHER}", f"# top\n\n{OTHER}"
    ),
    "the default in the first line": (f"default_profile = 'x'\n\n{OTHER}\n{TABLE}", OTHER),
}  # fmt: skip


@pytest.mark.parametrize("case", REMOVALS)
def test_a_removed_profile_takes_its_own_comment_along(path: Path, case: str) -> None:
    before, after = REMOVALS[case]
    path.write_text(before)
    edit.delete_profile(path, "x")
    assert path.read_text() == after


LINE = 'default_profile = "y"\n'
DEFAULTS = {
    "below the header": (f"# top\n# of file\n\n{OTHER}", f"# top\n# of file\n\n{LINE}\n{OTHER}"),
    "above a table's comment": (OTHER, f"{LINE}\n{OTHER}"),
    "without comments": (OTHER.partition("\n")[2], LINE + "\n" + OTHER.partition("\n")[2]),
    "between two blank lines": (f"# top\n\n\n{OTHER}", f"# top\n\n{LINE}\n{OTHER}"),
    "below the line of easyllm init": (
        f'# top\n\n# default_profile = "z" # used without -p\n\n{OTHER}',
        f'# top\n\n# default_profile = "z" # used without -p\n{LINE}\n{OTHER}',
    ),
    "in place": (f'# top\n\ndefault_profile = "z"\n\n{OTHER}', f"# top\n\n{LINE}\n{OTHER}"),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_a_new_default_stands_below_the_header(path: Path, case: str) -> None:
    before, after = DEFAULTS[case]
    path.write_text(before)
    assert edit.write_default_profile(path, "y")
    assert path.read_text() == after
    assert not edit.write_default_profile(path, "y"), "nothing was changed"


def test_a_file_of_comments_gets_a_default(path: Path) -> None:
    path.write_text("# top")
    edit.write_default_profile(path, "openai")
    assert path.read_text() == '# top\n\ndefault_profile = "openai"\n'


Edit = Callable[[Path], object]
REFUSED: list[tuple[str, Edit, str]] = [
    (TWO, lambda path: edit.write_setting(path, "a", "modle", "x"), 'did you mean "model"'),
    (TWO, lambda path: edit.write_setting(path, "a", "timeout.idel", "5"), 'did you mean "idle"'),
    (TWO, lambda path: edit.write_setting(path, "a", "model.x", "5"), 'unknown key "model.x"'),
    (TWO, lambda path: edit.write_setting(path, "a", "timeout.", "5"), "unknown key"),
    (TWO, lambda path: edit.write_setting(path, "a", "temperature", "hot"), "must be a number"),
    (TWO, lambda path: edit.write_setting(path, "a", "temperature", "9"), "between 0 and 2"),
    (TWO, lambda path: edit.write_setting(path, "a", "temperature", "nan"), "between 0 and 2"),
    (TWO, lambda path: edit.write_setting(path, "a", "provider", "null"), "names no provider"),
    (TWO, lambda path: edit.write_setting(path, "a", "provider", "opnai"), 'did you mean "openai"'),
    (TWO, lambda path: edit.write_setting(path, "a", "extends", "b"), "a circle"),
    (TWO, lambda path: edit.write_setting(path, "a", "fallback", '["c"]'), 'no profile "c"'),
    (TWO, lambda path: edit.write_setting(path, "c", "model", "x"), 'no profile "c" in the file'),
    (TWO, lambda path: edit.write_setting(path, "groq", "model", "x"), "add groq groq"),
    (TWO, lambda path: edit.insert_profile(path, "a", "openai", []), "already"),
    (
        TWO,
        lambda path: edit.insert_profile(path, "a:b", "openai", []),
        "cannot be a profile name",
    ),
    (TWO, lambda path: edit.insert_profile(path, "", "openai", []), "cannot be a profile name"),
    (TWO, lambda path: edit.insert_profile(path, "c", "opnai", []), 'did you mean "openai"'),
    (TWO, lambda path: edit.insert_profile(path, "c", "c", []), 'no provider and no profile "c"'),
    (TWO, lambda path: edit.insert_profile(path, "c", "openai", ["x"]), "not KEY=VALUE"),
    (TWO, lambda path: edit.delete_profile(path, "a"), 'profile "b" would be invalid'),
    (TWO, lambda path: edit.delete_profile(path, "c"), 'no profile "c"'),
    (TWO, lambda path: edit.write_default_profile(path, "c"), 'no profile "c"'),
    (TWO + "x = [", lambda path: edit.write_setting(path, "a", "model", "x"), "not valid TOML"),
    (TWO + "x = [", lambda path: edit.insert_profile(path, "c", "ollama", []), "not valid TOML"),
    ("x = 1\n" + TWO, lambda path: edit.write_default_profile(path, "a"), 'unknown key "x"'),
    ("[profiles]\na = 5\n", lambda path: edit.write_setting(path, "a", "model", "x"), "an editor"),
    (PIECES, lambda path: edit.write_setting(path, "a", "options.y", "2"), "an editor"),
    (
        'profiles = { a = { provider = "ollama" } }\n',
        lambda path: edit.insert_profile(path, "c", "openai", []),
        "an editor",
    ),
    (
        TWO + "options = { x = 5 }\n",
        lambda path: edit.write_setting(path, "b", "options.x.y", "2"),
        "x is not a table",
    ),
    (
        TWO + 'api_key_env = "X"\n',
        lambda path: edit.write_setting(path, "b", "api_key_file", "y"),
        "two sources",
    ),
]


@pytest.mark.parametrize(("text", "edit", "says"), REFUSED)
def test_fault_66_invalid_file_or_edit_leaves_every_byte(
    path: Path, text: str, edit: Edit, says: str
) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        edit(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text("utf-8") == text


def test_api_key_cannot_be_an_argument(path: Path) -> None:
    with pytest.raises(UsageError, match="easyllm keys set") as caught:
        edit.write_setting(path, "a", "api_key", "sk-1234567890")
    assert "sk-123" not in str(caught.value)
    with pytest.raises(UsageError, match="easyllm keys set"):
        edit.insert_profile(path, "c", "openai", ["api_key=sk-1234567890"])
    assert path.read_text("utf-8") == TWO


def test_invalid_profile_can_be_repaired_step_by_step(path: Path) -> None:
    path.write_text(TWO + "[profiles.c]\nmodel = 5\ntemperature = 9\n[profiles.d]\nnope = 1\n")
    edit.write_setting(path, "c", "model", "m")
    edit.write_setting(path, "c", "temperature", "1")
    edit.write_setting(path, "c", "provider", "openai")
    assert read_profiles(str(path)).resolve_profile("c").model == "m"
    with pytest.raises(ConfigError, match='unknown key "nope"'):
        read_profiles(str(path)).resolve_profile("d")


@pytest.mark.parametrize("mode", [0o664, 0o640])
@pytest.mark.parametrize("key", ["api_key", "api_key_cmd"])
def test_an_edit_never_makes_an_open_file_trusted(path: Path, key: str, mode: int) -> None:
    """Others could have planted a command in it, which mode 0600 would make us run."""
    path.write_text(TWO + f'{key} = "echo planted"\n')
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        edit.write_setting(path, "a", "model", "x")
    assert path.stat().st_mode & 0o777 == mode
    path.chmod(0o600)
    edit.write_setting(path, "a", "model", "x")


def test_edit_makes_a_file_private_that_others_could_only_read(path: Path) -> None:
    path.write_text(TWO)
    path.chmod(0o644)
    edit.write_setting(path, "a", "model", "x")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_can_write_is_not_edited(path: Path) -> None:
    path.write_text(TWO)
    path.chmod(0o664)
    for change in (
        lambda: edit.write_setting(path, "a", "model", "x"),
        lambda: edit.create_edit_copy(path),
    ):
        with pytest.raises(ConfigError, match="can be written by others"):
            change()
    assert [file.name for file in path.parent.glob("*.toml")] == [path.name]
    assert (path.read_text("utf-8"), path.stat().st_mode & 0o777) == (TWO, 0o664)


def test_edited_copy_is_applied_whatever_its_mode(path: Path) -> None:
    path.write_text(TWO)
    path.chmod(0o600)
    copy, original = edit.create_edit_copy(path)
    copy.write_text(TWO + "# more\n")
    copy.chmod(0o664)
    assert edit.apply_edited_copy(path, copy, original)
    assert path.read_text("utf-8") == TWO + "# more\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_created_in_a_folder_that_others_can_write(path: Path) -> None:
    """Such a file would not be trusted afterwards."""
    folder = path.parent / "open"
    folder.mkdir()
    folder.chmod(0o777)
    for make in (
        edit.create_profiles_file,
        lambda file, _: edit.insert_profile(file, "n", "openai", []),
    ):
        with pytest.raises(ConfigError, match=f"chmod o-w {folder}"):
            make(folder / "profiles.toml", TWO)
    assert list(folder.iterdir()) == []


def test_create_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    edit.create_profiles_file(path, TWO)
    assert path.read_text("utf-8") == TWO
    (tmp_path / "link.toml").symlink_to("nowhere")
    for existing in (path, tmp_path / "link.toml"):
        with pytest.raises(EasyLLMError, match="already"):
            edit.create_profiles_file(existing, "")
    assert path.read_text("utf-8") == TWO
    assert not (tmp_path / "nowhere").exists()


def test_history_is_set_and_removed_at_the_top(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    text = f"# top\n\ndefault_profile = 'a' # mine\n\n{TABLE}"
    path.write_text(text, "utf-8")
    assert edit.write_history_setting(path, "off")
    assert not edit.write_history_setting(path, "off"), "nothing was changed"
    assert read_profiles(str(path)).settings.history == "off"
    assert edit.write_history_setting(path, None)
    assert not edit.write_history_setting(path, None), "nothing was changed"
    assert path.read_text("utf-8") == text


def test_history_may_be_set_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    assert edit.write_history_setting(path, "off")
    assert path.read_text("utf-8") == 'history = "off"\n'
