"""`easyllm profiles`: list, show with sources, edit, many edits at once, masked secrets."""

import tomllib
from pathlib import Path

import pytest

from easyllm_cli.cli.commands.profiles import SUBCOMMANDS
from tests.support.binary import Easyllm, RunResult, run_concurrently, split_error_line
from tests.support.objects import parse_listing_json
from tests.support.terminal import SGR, run_on_terminals

KEY = "sk-very-secret-0123456789"
FILE = """\
# mine
default_profile = "a:other"

# local
[profiles.a]
provider = "ollama"
model = "m" # small

[profiles.b]
extends = "a"
temperature = 0.5
"""


def ok(ran: RunResult, out: str = "") -> RunResult:
    assert (ran.code, ran.stdout.decode()) == (0, out), ran.stderr
    return ran


def error_parts(ran: RunResult) -> tuple[str, str, str]:
    assert (ran.code, ran.stdout) == (2, b""), ran.stderr
    assert KEY not in ran.stderr
    return split_error_line(ran.error_line)


def test_every_command_answers_help(easyllm: Easyllm) -> None:
    names = [[], *[[name] for name in SUBCOMMANDS]]
    helps = run_concurrently(*[
        lambda args=args: easyllm.with_new_home().run(*args, "-h")
        for args in [["init"], *[["profiles", *name] for name in names], ["keys"], ["keys", "set"]]
    ])  # fmt: skip
    for ran in helps:
        assert (ran.code, ran.stderr) == (0, "")
        assert ran.stdout.startswith(b"Usage: easyllm ")
    assert all(f"  {name} ".encode() in helps[1].stdout for name in SUBCOMMANDS)


def test_list(easyllm: Easyllm) -> None:
    wrong = FILE + "[profiles.c]\nmodel = 5\n"
    easyllm.write_profiles(wrong)
    for args in ([], ["list"]):
        ok(easyllm.run("profiles", *args), "a\nb\nc\n")
    ran = easyllm.run("profiles", "--json")
    rows = parse_listing_json(ran, "profiles")["profiles"]
    assert [(row["name"], row["model"], row["default"]) for row in rows] == [
        ("a", "m", True), ("b", "m", False), ("c", None, False)
    ]  # fmt: skip
    assert [bool(row["problem"]) for row in rows] == [False, False, True]
    assert f"{easyllm.config}:13:1" in rows[2]["problem"]
    code, out, _ = run_on_terminals(easyllm, "profiles", terminals="1", columns=200)
    lines = SGR.sub("", out).splitlines()
    assert (code, lines[0].split()[:3]) == (0, ["profile", "provider", "model"])
    assert lines[2].split() == ["*", "a", "ollama", "m"]
    assert "must be text" in lines[4]


def test_list_without_profiles(easyllm: Easyllm) -> None:
    ran = ok(easyllm.run("profiles"))
    assert "easyllm init" in ran.error_line
    assert (
        parse_listing_json(easyllm.run("profiles", "list", "--json"), "profiles")["profiles"] == []
    )


def test_json_errors_have_the_shape_of_the_command(easyllm: Easyllm) -> None:
    easyllm.write_profiles("x = [")
    for args, what in [
        (["profiles", "--json"], "profiles"),
        (["profiles", "list", "--json", "--nope"], "profiles"),
        (["profiles", "show", "--json", "a"], "profile"),
        (["profiles", "show", "--json"], "profile"),
        (["profiles", "path", "--json", "--nope"], "path"),
        (["keys", "list", "--json", "--nope"], "keys"),
    ]:
        ran = easyllm.run(*args)
        assert ran.code == 2
        parse_listing_json(ran, what)


def test_show_names_the_source_of_each_value(easyllm: Easyllm) -> None:
    path = easyllm.write_profiles(FILE)
    env = {"OLLAMA_HOST": "127.0.0.1:9"}
    answer = parse_listing_json(easyllm.run("profiles", "show", "b", "--json", env=env), "profile")
    assert answer["profile"] == "b"
    values = {row["key"]: (row["value"], row["source"]) for row in answer["values"]}
    assert values["model"] == ("m", f"{path}:7 (profile a)")
    assert values["temperature"] == (0.5, f"{path}:11")
    assert values["endpoint"] == ("http://127.0.0.1:9", "OLLAMA_HOST")
    assert values["timeout.idle"] == (60, "default")
    text = easyllm.run("profiles", "show", "b").stdout.decode()
    assert [line.split()[0] for line in text.splitlines()] == list(values)
    assert '"http://127.0.0.1:11434"' in text
    message, _, hint = error_parts(easyllm.run("profiles", "show", "c"))
    assert (message, hint.startswith("known: ")) == ('no profile "c"', True)


def test_show_on_a_terminal(easyllm: Easyllm) -> None:
    """The file's path once, line numbers in the rows, and defaults with -a only."""
    profiles = FILE + 'api_key_env = "WORK_KEY"\n'
    code, out, _ = run_on_terminals(easyllm, "profiles", "show", "b", profiles=profiles)
    lines = [line.split() for line in SGR.sub("", out).splitlines()]
    assert code == 0
    assert lines[:3] == [["~/config/easyllm/profiles.toml"], [], ["setting", "value", "from"]]
    assert lines[4:10] == [
        ["provider", '"ollama"', "line", "6", "(profile", "a)"],
        ["endpoint", '"http://127.0.0.1:11434"', "built", "in"],
        ["model", '"m"', "line", "7", "(profile", "a)"],
        ["extends", '"a"', "line", "10"],
        ["api_key_env", '"WORK_KEY"', "line", "12"],
        ["temperature", "0.5", "line", "11"],
    ]
    assert lines[10] == ["key", "none", "WORK_KEY", "is", "not", "set"]
    assert lines[-1][1:] == ["settings", "left", "at", "the", "default:", "-a", "shows", "them"]
    _, everything, _ = run_on_terminals(easyllm, "profiles", "show", "b", "-a")
    assert "timeout.idle" in everything
    assert "timeout.idle" not in out
    _, built_in, _ = run_on_terminals(easyllm, "profiles", "show", "openai")
    assert SGR.sub("", built_in).splitlines()[0].split() == ["setting", "value", "from"]


def last_setting(easyllm: Easyllm, name: str) -> tuple[object, str]:
    """What a script is told of the key."""
    ran = easyllm.run("profiles", "show", name, "--json")
    row = parse_listing_json(ran, "profile")["values"][-1]
    assert row["key"] == "key"
    return row["value"], row["source"]


def test_show_says_why_there_is_no_key(easyllm: Easyllm) -> None:
    profiles = '[profiles.stored]\nprovider = "groq"\nkeyring = "work"\n'
    profiles += '[profiles.other]\nprovider = "openai"\nendpoint = "http://127.0.0.1:9/v1"\n'
    easyllm.write_profiles(profiles)
    for name, reason in (
        ("openrouter", "OPENROUTER_API_KEY is not set"),
        ("gemini", "GEMINI_API_KEY or GOOGLE_API_KEY is not set"),
        ("stored", 'no key is stored as "work"'),
        ("other", "no key is configured"),
        ("ollama", "no key is configured"),
    ):
        assert last_setting(easyllm, name) == (None, reason)


def test_a_model_in_this_process_has_no_endpoint(easyllm: Easyllm) -> None:
    for env in ({}, {"LOCAL_BASE_URL": "http://example.com"}):
        ran = easyllm.run("profiles", "show", "local", env=env)
        assert ran.code == 0
        assert b"http://" not in ran.stdout


def test_path(easyllm: Easyllm) -> None:
    ok(easyllm.run("profiles", "path"), f"{easyllm.config}\n")
    answer = parse_listing_json(easyllm.run("profiles", "path", "--json"), "path")
    assert (answer["path"], answer["exists"]) == (str(easyllm.config), False)
    ok(easyllm.run("profiles", "path", "--profiles", "/x/y"), "/x/y\n")
    ok(easyllm.run("profiles", "path", env={"EASYLLM_PROFILES": "/x/z"}), "/x/z\n")


def test_set_up_a_profile_without_an_editor(easyllm: Easyllm) -> None:
    for args in (
        ["add", "r1", "openrouter:vendor/r1", "reasoning=high"],
        ["set", "r1", "timeout.idle", "9"],
        ["default", "r1"],
        ["add", "gone", "r1"],
        ["remove", "gone"],
    ):
        ok(easyllm.run("profiles", *args))
    assert ok(easyllm.run("profiles", "default"), "r1\n").stderr == ""
    shown = easyllm.run("chat", "--dry-run", "hi")
    assert shown.json["body"]["model"] == "vendor/r1"
    assert easyllm.config.stat().st_mode & 0o777 == 0o600
    ok(easyllm.run("profiles", "remove", "r1"))
    assert "no default profile" in error_parts(easyllm.run("profiles", "default"))[0]


@pytest.mark.parametrize(
    ("args", "done", "then"),
    [
        (("add", "c", "openai"), "added c", "; use it with -p c"),
        (("set", "a", "headers.X-Key", KEY), "set headers.X-Key of a", ""),
        (("set", "b", "temperature", "null"), "removed temperature from b", ""),
        (("set", "b", "seed", "null"), "nothing was changed", ""),
        (("default", "b"), "b is now the default profile", ""),
        (("default", "a:other"), "a:other is the default profile", ""),
        (("remove", "b"), "removed b", ""),
        (("remove", "d"), "removed d", "; it was the default, now there is none"),
    ],
)
def test_an_edit_says_what_it_did(
    easyllm: Easyllm, args: tuple[str, ...], done: str, then: str
) -> None:
    """In one line on stderr, without the value: it may be a key."""
    text = FILE + '[profiles.d]\nprovider = "openai"\n'
    path = easyllm.write_profiles(text.replace("a:other", "d") if "d" in args else text)
    ran = ok(easyllm.run("profiles", *args))
    assert ran.error_line == f"easyllm: {done} ({path}){then}"


def test_twenty_concurrent_edits_all_survive(easyllm: Easyllm) -> None:
    easyllm.write_profiles(FILE)
    adds = [("add", f"new{number}", "b", f"seed={number}") for number in range(10)]
    sets = [("set", "a", f"options.x{number}", str(number)) for number in range(10)]
    for ran in run_concurrently(*[
        lambda args=args: easyllm.run("profiles", *args, timeout=120) for args in adds + sets
    ]):  # fmt: skip
        ok(ran)
    text = easyllm.config.read_text()
    edited = tomllib.loads(text)
    tables = edited["profiles"]
    assert tables["a"]["options"] == {f"x{number}": number for number in range(10)}
    assert set(tables) == {"a", "b", *(f"new{number}" for number in range(10))}
    assert all(tables[f"new{number}"]["seed"] == number for number in range(10))
    assert [text.count(word) for word in ("# mine", "# local", "# small")] == [1, 1, 1]


@pytest.mark.parametrize(
    "args",
    [("set", "a", "model", "x"), ("add", "c", "ollama"), ("remove", "a"), ("default", "a")],
)
def test_fault_66_a_corrupt_file_is_never_overwritten(
    easyllm: Easyllm, args: tuple[str, ...]
) -> None:
    path = easyllm.write_profiles(FILE + "[profiles.a]\n", mode=0o640)
    before = path.stat()
    message, where, _ = error_parts(easyllm.run("profiles", *args))
    assert message.startswith("not valid TOML")
    assert where.startswith(f"{path}:12:")
    after = path.stat()
    assert path.read_text() == FILE + "[profiles.a]\n"
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_key_is_never_taken_from_the_command_line(easyllm: Easyllm) -> None:
    easyllm.write_profiles(FILE)
    for args in (["set", "a", "api_key", KEY], ["add", "c", "openai", f"api_key={KEY}"]):
        assert "easyllm keys set" in error_parts(easyllm.run("profiles", *args))[2]
    assert easyllm.config.read_text() == FILE


def test_a_folder_that_cannot_be_written_is_8(easyllm: Easyllm) -> None:
    ran = easyllm.run("profiles", "add", "a", "openai", "--profiles", "/proc/x/profiles.toml")
    assert ran.code == 8
    assert split_error_line(ran.error_line)[:2] == (
        "cannot be written: No such file or directory", "/proc/x/profiles.toml"
    )  # fmt: skip


def edit(easyllm: Easyllm, script: str, **env: str) -> RunResult:
    """Run `profiles edit` with a shell script as the editor; $1 is `--wait`, $2 the copy."""
    editor = easyllm.home / "my editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o755)
    return easyllm.run("profiles", "edit", env={"EDITOR": f"'{editor}' --wait", **env})


def copies(easyllm: Easyllm) -> list[Path]:
    return sorted(easyllm.config.parent.glob("profiles.edit*.toml"))


def test_edit(easyllm: Easyllm) -> None:
    ok(edit(easyllm, 'echo \'[profiles.n]\nprovider = "groq"\' >> "$2"'))
    assert easyllm.config.read_text() == '[profiles.n]\nprovider = "groq"\n'
    assert easyllm.config.stat().st_mode & 0o777 == 0o600
    ran = ok(edit(easyllm, "exit 0"))
    assert "nothing was changed" in ran.error_line
    ok(edit(easyllm, "exit 3", VISUAL='sh -c \'echo "# seen" >> "$0"\''))
    assert easyllm.config.read_text().endswith("# seen\n")
    assert copies(easyllm) == []


def test_edit_repairs_a_corrupt_file(easyllm: Easyllm) -> None:
    easyllm.write_profiles("x = [")
    ok(edit(easyllm, 'echo "# new" > "$2"'))
    assert easyllm.config.read_text() == "# new\n"


def test_ctrl_c_is_left_to_the_editor(easyllm: Easyllm) -> None:
    """On a terminal both processes get Ctrl-C, so easyllm ignores it meanwhile."""
    easyllm.write_profiles(FILE)
    ran = edit(easyllm, 'kill -INT $PPID; sleep 0.2; echo "# still here" >> "$2"')
    ok(ran)
    assert easyllm.config.read_text() == FILE + "# still here\n"


WRONG = [
    ('echo "x = [" >> "$2"', "not valid TOML"),
    ('echo "modle = 1" >> "$2"', 'unknown key "modle"'),
    ('sed -i s/a:other/nope/ "$2"', 'no profile "nope"'),
    ('sed -i \'s/extends.*/extends = "zz"/\' "$2"', 'extends "zz"'),
    ('printf "\\377" >> "$2"', "not UTF-8"),
]


@pytest.mark.parametrize(("script", "says"), WRONG)
def test_invalid_edit_is_kept_beside_the_file(easyllm: Easyllm, script: str, says: str) -> None:
    easyllm.write_profiles(FILE)
    for number in ("", "1"):
        message, where, hint = error_parts(edit(easyllm, script))
        copy = easyllm.config.with_name(f"profiles.edit{number}.toml")
        assert says in message
        assert str(copy) in where + hint
        assert f"your edit is kept in {copy}" in hint
        assert copy.read_bytes() != FILE.encode()
        assert copy.stat().st_mode & 0o777 == 0o600
    assert easyllm.config.read_text() == FILE


def test_edit_is_kept_beside_a_file_that_changed_meanwhile(easyllm: Easyllm) -> None:
    path = easyllm.write_profiles(FILE)
    message, _, hint = error_parts(
        edit(easyllm, f'echo "# me" >> "$2"; echo "# other" >> "{path}"')
    )
    assert message == "the file was changed during your edit"
    assert path.read_text() == FILE + "# other\n"
    assert copies(easyllm)[0].read_text() == FILE + "# me\n"
    assert str(copies(easyllm)[0]) in hint


@pytest.mark.parametrize(
    ("script", "env", "says", "kept"),
    [
        ("exit 3", {}, "exit code 3", 0),
        ('echo "# me" >> "$2"; exit 3', {}, "exit code 3", 1),
        ("", {"EDITOR": "/nowhere/editor"}, "No such file", 0),
        ("", {"EDITOR": "'open"}, "No closing quotation", 0),
    ],
)
def test_an_editor_that_fails(
    easyllm: Easyllm, script: str, env: dict[str, str], says: str, kept: int
) -> None:
    easyllm.write_profiles(FILE)
    message, _, hint = error_parts(edit(easyllm, script, **env))
    assert says in message
    assert "the profiles file is unchanged" in hint
    assert len(copies(easyllm)) == kept
    assert ("kept in" in hint) == bool(kept)
    assert easyllm.config.read_text() == FILE


SECRETS = f"""\
[profiles.a]
provider = "openai"
api_key = "{KEY}"
proxy = "http://me:{KEY}@proxy:1"
headers = {{ X-Api-Key = "{KEY}", X-Env = "env:HOME", X-Plain = "seen" }}
options = {{ my_secret = "{KEY}", top = 1 }}
[profiles.b]
provider = "openai"
"""


def test_show_masks_every_secret(easyllm: Easyllm) -> None:
    easyllm.write_profiles(SECRETS)
    env = {"OPENAI_API_KEY": KEY}
    a, b, text, listed = run_concurrently(
        lambda: easyllm.run("profiles", "show", "a", "--json"),
        lambda: easyllm.run("profiles", "show", "b", "--json", env=env),
        lambda: easyllm.run("profiles", "show", "a"),
        lambda: easyllm.run("profiles", "list", "--json"),
    )
    for ran in (a, b, text, listed):
        assert ran.code == 0
        assert KEY[:-4].encode() not in ran.stdout + ran.stderr.encode()
    values = {row["key"]: row["value"] for row in parse_listing_json(a, "profile")["values"]}
    assert values["api_key"] == values["headers.X-Api-Key"] == values["key"] == "***6789"
    assert (values["proxy"], values["headers.X-Env"]) == ("http://***@proxy:1", "env:HOME")
    assert (values["headers.X-Plain"], values["options.top"]) == ("seen", 1)
    assert parse_listing_json(b, "profile")["values"][-1] == {
        "key": "key", "value": "***6789", "source": "OPENAI_API_KEY"
    }  # fmt: skip
