"""`--schema FILE`: the answer is one JSON document that fits the schema, or exit code 7."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    profile_toml,
    single_profile_toml,
    split_error_line,
)
from tests.support.install_commands import installs_extra
from tests.support.objects import parse_answer_json, parse_jsonl_events
from tests.support.standins.script import Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import Terminal, run_on_terminals

Json = dict[str, Any]
PEOPLE: Json = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/person"}},
        "kind": {"enum": ["list", None]},
    },
    "required": ["items"],
    "additionalProperties": False,
    "$defs": {
        "person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name"],
        }
    },
}
ADA = '{"items": [{"name": "Ada", "age": 36}]}'
NOWHERE = single_profile_toml("http://127.0.0.1:9/v1")


@pytest.fixture
def people(home: Path) -> str:
    """A schema file."""
    path = home / "people.json"
    path.write_text(json.dumps(PEOPLE))
    return str(path)


def run_with_schema(
    easyllm: Easyllm, text: str, schema: str, *args: str, finish: str = "stop"
) -> RunResult:
    """Run with --schema; the model answers `text`."""
    command, *rest = args or ("chat",)
    with StandIn(script_handler(chat_answer_script(text, finish=finish))) as server:
        ran = easyllm.run(
            command, "--schema", schema, "hi", *rest, profiles=single_profile_toml(server)
        )
        assert len(server.requests) == 1, "an answer that does not fit is not retried"
    return ran


@pytest.mark.parametrize("command", ["chat", "stream", "cot"])
def test_fitting_answer_is_printed_unchanged(easyllm: Easyllm, people: str, command: str) -> None:
    ran = run_with_schema(easyllm, ADA, people, command)
    assert (ran.code, ran.stdout.decode(), ran.stderr) == (0, ADA + "\n", "")


MISFITS = [
    ('{"items": [{"name": "a"}, {"name": "b", "age": "x"}]}',
     "$.items[1].age: \"x\" is not of type 'integer'"),
    ('{"items": [{"age": 3}]}', "$.items[0]: 'name' is a required property"),
    ('{"items": [], "more": 1}', "$: Additional properties are not allowed"),
    ('{"items": [], "kind": "x"}', "$.kind: \"x\" is not one of ['list', None]"),
    ("[]", "$: [] is not of type 'object'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "misfit"), MISFITS, ids=[misfit for _, misfit in MISFITS])
def test_misfit_is_7_and_names_the_path(
    easyllm: Easyllm, people: str, text: str, misfit: str
) -> None:
    ran = run_with_schema(easyllm, text, people)
    assert (ran.code, ran.stdout) == (7, b"")
    what, where, hint = split_error_line(ran.error_line)
    assert what.startswith(f"the answer does not fit the schema: {misfit}")
    assert "profile t" in ran.error_line, where
    assert hint or str(easyllm.partials()[0]) in ran.error_line
    assert [path.read_text() for path in easyllm.partials()] == [text]


NO_JSON = {
    "Hello": "Expecting value (line 1, column 1)",
    "Here it is: {}": "Expecting value (line 1, column 1)",
    '{"items": []}\n{}': "Extra data (line 2, column 1)",
    '{"items": [NaN]}': "NaN is not a JSON value",
    '{"items": [': "Expecting value (line 1, column 12)",
    "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize("text", NO_JSON, ids=lambda text: text[:20])
def test_answer_that_is_not_json_is_7(easyllm: Easyllm, people: str, text: str) -> None:
    ran = run_with_schema(easyllm, text, people)
    assert (ran.code, ran.stdout) == (7, b"")
    assert NO_JSON[text] in ran.error_line
    assert len(ran.error_line) < 600
    assert easyllm.partials()[0].read_text() == text


def test_long_value_is_shown_in_part(easyllm: Easyllm, people: str) -> None:
    ran = run_with_schema(easyllm, json.dumps({"items": "x" * 5000}), people)
    assert "xxx… is not of type 'array'" in ran.error_line
    assert len(ran.error_line) < 600


def test_json_error_has_kind_path_and_text(easyllm: Easyllm, people: str) -> None:
    answer = parse_answer_json(run_with_schema(easyllm, '{"items": 1}', people, "chat", "--json"))
    assert (answer["ok"], answer["complete"], answer["text"]) == (False, True, '{"items": 1}')
    error = answer["error"]
    assert (error["kind"], error["exit_code"], error["retryable"]) == ("malformed", 7, False)
    assert "$.items: 1 is not of type 'array'" in error["message"]
    last = parse_jsonl_events(
        run_with_schema(easyllm, '{"items": 1}', people, "stream", "--jsonl")
    )[-1]
    assert (last["kind"], last["error"]["exit_code"]) == ("error", 7)


def test_stream_prints_a_misfit_and_ends_with_7(easyllm: Easyllm, people: str) -> None:
    ran = run_with_schema(easyllm, '{"items": 1}', people, "stream")
    assert (ran.code, ran.stdout) == (7, b'{"items": 1}\n')
    assert "$.items: 1 is not of type 'array'" in ran.error_line
    assert easyllm.partials() == []


FENCED = f"```json\n{ADA}\n```\n"


def test_fence_around_the_whole_answer_is_removed(easyllm: Easyllm, people: str) -> None:
    for fenced in (FENCED, f"\n```\n{ADA}\n```", f"```JSON\r\n{ADA}\n  ```"):
        ran = run_with_schema(easyllm, fenced, people)
        assert (ran.code, ran.stdout.decode()) == (0, ADA + "\n")
    for command in ("chat", "stream"):
        assert (
            parse_answer_json(run_with_schema(easyllm, FENCED, people, command, "--json"))["text"]
            == ADA
        )


def test_stream_cannot_remove_a_fence(easyllm: Easyllm, people: str) -> None:
    """stdout is not JSON then, so the exit code must tell a script."""
    ran = run_with_schema(easyllm, FENCED, people, "stream")
    assert (ran.code, ran.stdout.decode()) == (7, FENCED)
    assert "chat removes a code fence" in ran.error_line


def test_fence_is_shown_and_accepted_on_a_terminal(easyllm: Easyllm, people: str) -> None:
    with StandIn(script_handler(chat_answer_script(FENCED))) as server:
        args = ("chat", "--raw", "--schema", people, "hi")
        with Terminal(easyllm, *args, profiles=single_profile_toml(server)) as terminal:
            assert terminal.end() == (0, FENCED, "")


def test_fence_inside_other_text_is_not_json(easyllm: Easyllm, people: str) -> None:
    assert run_with_schema(easyllm, f"Sure!\n{FENCED}", people).code == 7


def test_answer_cut_at_max_tokens(easyllm: Easyllm, people: str) -> None:
    """Without a schema this is 0 with a note; with a schema the JSON must be whole."""
    args = ("chat", "--max-tokens", "5")
    cut = run_with_schema(easyllm, ADA[:20], people, *args, finish="length")
    assert (cut.code, cut.stdout) == (7, b"")
    assert "raise --max-tokens" in cut.error_line
    whole = run_with_schema(easyllm, ADA, people, *args, finish="length")
    assert (whole.code, whole.stdout.decode()) == (0, ADA + "\n")
    assert "token limit" in whole.stderr


def test_cut_is_reported_before_the_schema_error(easyllm: Easyllm, people: str) -> None:
    with StandIn(script_handler(Script(chunk(ADA), Cut()))) as server:
        profiles = single_profile_toml(server, max_retries=0)
        ran = easyllm.run("chat", "--schema", people, "hi", profiles=profiles)
    assert (ran.code, ran.stdout) == (7, b"")
    assert "the answer was cut" in ran.error_line


def test_fallback_if_nothing_was_shown(easyllm: Easyllm, people: str) -> None:
    with (
        StandIn(script_handler(chat_answer_script("no JSON"))) as first,
        StandIn(script_handler(chat_answer_script(ADA))) as second,
    ):
        text = single_profile_toml(first, fallback=["other"]) + profile_toml(second, name="other")
        buffered = easyllm.run("chat", "--schema", people, "hi", profiles=text)
        streamed = easyllm.run("stream", "--schema", people, "hi", profiles=text)
        assert (
            second.requests[0].json["response_format"] == first.requests[0].json["response_format"]
        )
        assert len(second.requests) == 1
    assert (buffered.code, buffered.stdout.decode()) == (0, ADA + "\n")
    assert (streamed.code, streamed.stdout) == (7, b"no JSON\n")


def test_extract_checks_without_a_request(easyllm: Easyllm, people: str) -> None:
    text = f"<think>hm</think>\n{ADA}"
    ran = easyllm.run("cot", "--extract", "--schema", people, stdin=text)
    assert (ran.code, ran.stdout.decode()) == (0, ADA + "\n")
    assert easyllm.run("cot", "--extract", "--schema", people, stdin="<think>hm</think>1").code == 7


BROKEN = {
    "not JSON": ('{"type": ', "the schema is not JSON: Expecting value (line 1, column 10)"),
    "an array": ("[]", "the schema is not a JSON object"),
    "NaN": ('{"minimum": NaN}', "NaN is not a JSON value"),
    "an unknown type": (
        '{"properties": {"age": {"type": "int"}}}',
        "the schema is not valid: $.properties.age.type: \"int\" is not",
    ),
    "a regular expression": ('{"pattern": "("}', "$.pattern: \"(\" is not a 'regex'"),
    "an old draft": (
        '{"$schema": "http://json-schema.org/draft-04/schema#",'
        ' "minimum": 1, "exclusiveMinimum": 3}',
        "$.exclusiveMinimum: 3 is not of type 'boolean'",
    ),
    "a lost reference": (
        '{"properties": {"a": {"items": {"$ref": "#/$defs/nope"}}}}',
        'the schema is not valid: "$ref": "#/$defs/nope" cannot be resolved',
    ),
    "a lost reference behind another": (
        '{"$ref": "#/components/a", "components": {"a": {"items": {"$ref": "b.json"}}}}',
        '"$ref": "b.json" cannot be resolved',
    ),
    "too deep": ("[" * 100_000, "the schema is nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_schema_is_2_before_any_request(easyllm: Easyllm, home: Path, broken: str) -> None:
    text, message = BROKEN[broken]
    path = home / "schema.json"
    path.write_text(text)
    ran = easyllm.run("chat", "--schema", str(path), "hi", profiles=NOWHERE)
    assert (ran.code, ran.stdout) == (2, b"")
    assert message in ran.error_line
    assert str(path) in ran.error_line


def test_unreadable_schema_is_2(easyllm: Easyllm, home: Path) -> None:
    (home / "bytes.json").write_bytes(b"{\xff}")
    for name, message in {
        str(home / "missing.json"): "cannot read the schema: No such file or directory",
        str(home): "cannot read the schema: Is a directory",
        str(home / "bytes.json"): "the schema is not UTF-8 at byte 1",
        "-": "--schema takes a file",
    }.items():
        ran = easyllm.run("chat", "--schema", name, "hi", profiles=NOWHERE)
        assert ran.code == 2
        assert message in ran.error_line


def test_remote_reference_is_never_fetched(easyllm: Easyllm, home: Path) -> None:
    path = home / "schema.json"
    with StandIn(script_handler(Script(b'{"type": "object"}'))) as web:
        for reference in (f"{web.url}/person.json", f"{web.url}/person.json#/$defs/x"):
            path.write_text(json.dumps({"properties": {"a": {"$ref": reference}}}))
            ran = easyllm.run("chat", "--schema", str(path), "hi", profiles=NOWHERE)
            assert ran.code == 2
            assert f'"$ref": "{reference}" cannot be resolved' in ran.error_line
            assert "are not fetched" in ran.error_line
        assert web.requests == []


def test_schema_that_refers_to_itself(easyllm: Easyllm, home: Path) -> None:
    path = home / "tree.json"
    tree = {"type": "object", "properties": {"of": {"$ref": "#"}}, "additionalProperties": False}
    path.write_text(json.dumps({"$id": "https://example.com/tree", **tree}))
    assert run_with_schema(easyllm, '{"of": {"of": {}}}', str(path)).code == 0
    ran = run_with_schema(easyllm, '{"of": {"of": {"on": 1}}}', str(path))
    assert ran.code == 7
    assert "$.of.of: Additional properties" in ran.error_line
    path.write_text('{"$ref": "#"}')
    ran = run_with_schema(easyllm, "{}", str(path))
    assert ran.code == 7
    assert "too deeply" in ran.error_line


def test_number_too_large_for_a_float(easyllm: Easyllm, home: Path) -> None:
    path = home / "schema.json"
    path.write_text('{"multipleOf": 0.5}')
    ran = run_with_schema(easyllm, "1" * 400, str(path))
    assert ran.code == 7
    assert "a number in it is too large" in ran.error_line


def test_unknown_dialect_is_read_as_the_newest(easyllm: Easyllm, home: Path) -> None:
    path = home / "schema.json"
    path.write_text('{"$schema": "https://example.com/mine", "type": "integer"}')
    ran = run_with_schema(easyllm, "3", str(path))
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"3\n", "")


def test_without_jsonschema_it_is_2_before_any_request(
    easyllm: Easyllm, people: str, home: Path
) -> None:
    """A package that fails to import shadows the installed one."""
    blocked = home / "blocked" / "jsonschema"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'jsonschema'\")"
    )
    env = {"PYTHONPATH": str(blocked.parent)}
    with StandIn(script_handler(chat_answer_script(ADA))) as server:
        ran = easyllm.run(
            "chat", "--schema", people, "hi", profiles=single_profile_toml(server), env=env
        )
        assert server.requests == []
        assert easyllm.run("chat", "hi", profiles=single_profile_toml(server), env=env).code == 0
    assert (ran.code, ran.stdout) == (2, b"")
    assert installs_extra(split_error_line(ran.error_line)[2], "schema")


@pytest.mark.parametrize("args", [("chat", "-x"), ("cot", "--elicit", "always")])
def test_options_that_exclude_schema(easyllm: Easyllm, people: str, args: tuple[str, ...]) -> None:
    ran = easyllm.run(*args, "--schema", people, "hi", profiles=NOWHERE)
    assert ran.code == 2
    assert "do not go together" in ran.error_line


def test_dry_run_shows_the_schema(easyllm: Easyllm, people: str) -> None:
    ran = easyllm.run("chat", "--dry-run", "--schema", people, "hi", profiles=NOWHERE)
    assert ran.json["body"]["response_format"]["json_schema"]["schema"] == PEOPLE


def test_json_on_a_terminal_is_no_markdown(easyllm: Easyllm, people: str) -> None:
    text = '{\n  "items": [{"name": "*Ada*"}]\n}'
    with StandIn(script_handler(chat_answer_script(text))) as server:
        profiles = single_profile_toml(server)
        ran = run_on_terminals(easyllm, "chat", "--schema", people, "hi", profiles=profiles)
    assert ran == (0, f"{text}\n", "")
