"""A real model obeys a JSON schema, for each way to ask; checks shapes, not wording.

The few commands are started: a launcher would take longer to warm up.
"""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support.binary import BINARY, Easyllm, single_profile_toml
from tests.support.objects import parse_answer_json, parse_jsonl_events
from tests.support.servers.fixtures import RealServer

# No model produces this by chance: it has a reference and unusual words.
SCHEMA = {
    "type": "object",
    "properties": {
        "colours": {
            "type": "array", "items": {"$ref": "#/$defs/colour"}, "minItems": 1, "maxItems": 1,
        },
        "sure": {"type": "boolean"},
    },
    "required": ["colours", "sure"],
    "additionalProperties": False,
    "$defs": {"colour": {"enum": ["vermilion", "teal"]}},
}  # fmt: skip
VALIDATOR = Draft202012Validator(SCHEMA)


@pytest.fixture
def schema(home: Path) -> str:
    path = home / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return str(path)


@pytest.mark.parametrize(
    ("provider", "command"),
    [
        ("openai", ("chat",)),
        pytest.param("llamacpp", ("chat", "--no-stream"), marks=pytest.mark.full),
        pytest.param("llamacpp", ("stream",), marks=pytest.mark.full),
        pytest.param("llamacpp", ("chat", "--json"), marks=pytest.mark.full),
        pytest.param("openai", ("stream", "--jsonl"), marks=pytest.mark.full),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_a_real_model_obeys_the_schema(
    easyllm: Easyllm, smol: RealServer, schema: str, provider: str, command: tuple[str, ...]
) -> None:
    keys = {"model": smol.model, "temperature": 0, "max_tokens": 200}
    profiles = single_profile_toml(f"{smol.url}/v1", provider, **keys)
    args = ("--schema", schema, "Name a colour.")
    ran = easyllm.run(*command, *args, profiles=profiles, command=[BINARY])
    assert ran.code == 0, ran.stderr
    if "--json" in command:
        text = parse_answer_json(ran)["text"]
    elif "--jsonl" in command:
        text = parse_jsonl_events(ran)[-1]["text"]
    else:
        text = ran.stdout
        assert ran.stdout.count(b"\n") == ran.stdout.rstrip(b"\n").count(b"\n") + 1
    VALIDATOR.validate(json.loads(text))


def test_without_the_schema_the_answer_does_not_fit(
    easyllm: Easyllm, smol: RealServer, schema: str
) -> None:
    """The model's own answer does not fit, so the test above proves something."""
    profiles = single_profile_toml(f"{smol.url}/v1", model=smol.model, temperature=0, max_tokens=20)
    args = ("-o", "response_format=null", "Name a colour.")
    ran = easyllm.run("chat", "--schema", schema, *args, profiles=profiles, command=[BINARY])
    assert (ran.code, ran.stdout) == (7, b"")
    assert "is not JSON" in ran.error_line


def test_answer_cut_at_max_tokens(easyllm: Easyllm, smol: RealServer, schema: str) -> None:
    profiles = single_profile_toml(f"{smol.url}/v1", model=smol.model, temperature=0, max_tokens=5)
    ran = easyllm.run(
        "chat", "--schema", schema, "Name a colour.", profiles=profiles, command=[BINARY]
    )
    assert (ran.code, ran.stdout) == (7, b"")
    assert "raise --max-tokens" in ran.error_line


def test_a_server_that_ignores_the_schema_is_detected(
    easyllm: Easyllm, ollama: RealServer, schema: str
) -> None:
    """ollama-proxy-plus drops `format`: its answer must not count as a success."""
    profiles = single_profile_toml(
        ollama.url, "ollama", model=ollama.model, temperature=0, max_tokens=20
    )
    ran = easyllm.run(
        "chat", "--schema", schema, "Name a colour.", profiles=profiles, command=[BINARY]
    )
    assert (ran.code, ran.stdout) == (7, b"")
    assert "$" in ran.error_line or "is not JSON" in ran.error_line
