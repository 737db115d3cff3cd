"""Any user input: messages, images, addresses, options, schemas, key files, completion."""

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from easyllm_cli.cli.commands.vision import describe_image
from easyllm_cli.cli.completion import split_line
from easyllm_cli.cli.profile_selection import parse_options
from easyllm_cli.cli.request import read_json_object
from easyllm_cli.completion import Completion
from easyllm_cli.config.endpoints import is_loopback, resolve_endpoint
from easyllm_cli.config.key_store import read_entries
from easyllm_cli.config.model_list_cache import is_shell_safe, load_model_ids, save_model_ids
from easyllm_cli.config.paths import keys_file, state_folder
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.image_header import IMAGE_SIGNATURES
from easyllm_cli.images import Image
from easyllm_cli.json_schema import Schema
from easyllm_cli.messages import parse_messages
from tests.fuzzing.canned import is_documented_error
from tests.fuzzing.mutations import json_values, mutated_values, texts
from tests.support.images import gif_1x1, png

PNG = png(2, 2, (0, 0, 0))
URL = "data:image/png;base64,iVBORw0KGgo="
TALK: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [
        {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": URL}}]},
    {"role": "assistant", "content": "Hello"},
]  # fmt: skip
SCHEMA: Any = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0}, "me": {"$ref": "#/$defs/a"}},
    "$defs": {"a": {"type": "array", "items": {"type": "string", "pattern": "^a+$"}}},
    "required": ["age"], "additionalProperties": False,
}  # fmt: skip


@given(listed=mutated_values(TALK) | json_values)
@example(listed=[{"role": "user", "content": 5}])
@example(listed=[{"role": ["user"], "content": "hi"}])
@example(listed=[{"role": "user", "content": [{"type": "text"}]}])
def test_message_lists(listed: Any) -> None:
    try:
        parsed = parse_messages(listed)
    except EasyLLMError as error:
        assert error.exit_code == 2
        return
    assert parsed
    assert [message.role for message in parsed] == [message["role"] for message in listed]


@given(
    start=st.sampled_from(
        [magic for magic, _ in IMAGE_SIGNATURES] + [PNG, gif_1x1(), b"RIFF", b""]
    ),
    rest=st.binary(max_size=60),
    where=st.integers(0, 60),
    kept=st.integers(0, 80),
)
def test_images(start: bytes, rest: bytes, where: int, kept: int) -> None:
    data = (start[:where] + rest + start[where:])[:kept]
    try:
        image = Image.of(data)
    except EasyLLMError as error:
        assert error.exit_code == 2
        return
    assert image.data == data
    assert image.media_type.startswith("image/")
    assert image.name in describe_image(image)


@given(source=texts | texts.map(lambda text: "data:" + text) | st.text(max_size=300))
def test_image_names(source: str) -> None:
    try:
        assert Image.of(source)
    except EasyLLMError as error:
        assert is_documented_error(error)


hosts = st.sampled_from(
    ["http://", "https://", "HTTP://", "[", "]", "::1", "127.0.0.1", "localhost", "ollama.com", ":",
     "/", "@", "?", "#", "11434", "0", "99999", "v1", "api", " ", "\u2488", "%", "\x00", '"', "٣"]
)  # fmt: skip
addresses = st.lists(hosts | st.text(max_size=3), max_size=8).map("".join)


@given(
    text=addresses,
    provider=st.sampled_from(["ollama", "openai", "gemini", "llamacpp"]),
    named=st.booleans(),
)
@example(text=":" + "9" * 5000, provider="ollama", named=True)
@example(text=" http://http://", provider="openai", named=True)
@example(text="http://127.0.0.1\t.example.com", provider="openai", named=True)
def test_addresses(text: str, provider: str, named: bool) -> None:
    variables = {"OLLAMA_HOST": text, "OPENAI_BASE_URL": text} if "\x00" not in text else {}
    with patch.dict(os.environ, {} if named else variables):
        try:
            endpoint = resolve_endpoint(
                Profile(provider=provider, endpoint=text if named else None)
            )
        except EasyLLMError as error:
            assert is_documented_error(error)
            return
    assert endpoint.url.isprintable()
    assert endpoint.url.partition("://")[0].lower() in ("http", "https")
    assert endpoint.host
    is_loopback(endpoint.url)


@given(pairs=st.lists(st.text(max_size=5) | st.tuples(
    st.text(min_size=1, max_size=3).filter(lambda key: "=" not in key),
    json_values.map(json.dumps) | st.text(max_size=8),
).map("=".join), max_size=3))  # fmt: skip
def test_options(pairs: list[str]) -> None:
    try:
        options = parse_options(pairs)
    except EasyLLMError as error:
        assert error.exit_code == 2
        return
    json.dumps(options, allow_nan=False)
    assert set(options) == {pair.partition("=")[0] for pair in pairs}


@given(document=mutated_values(SCHEMA) | json_values, answer=json_values)
@example(document={"$schema": 1}, answer={})
@example(document={"$schema": []}, answer={})
@example(document={"$ref": "#"}, answer={})
def test_schemas(home: Path, document: Any, answer: Any) -> None:
    file = home / "schema.json"
    file.write_text(json.dumps(document), "utf-8")
    try:
        schema = Schema(read_json_object(str(file)), str(file), strips_code_fence=True)
        schema.check(Completion(text=json.dumps(answer), finish_reason="stop"))
    except EasyLLMError as error:
        assert is_documented_error(error)


stored = st.dictionaries(
    texts, st.fixed_dictionaries({"key": texts}) | st.just({"keyring": True}) | json_values
)


@given(data=st.binary(max_size=60) | stored.map(lambda value: json.dumps(value).encode()))
def test_a_key_file(home: Path, data: bytes) -> None:
    file = keys_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(0o600)
    try:
        entries = read_entries()
        assert all(
            list(entry) == ["key"] or entry == {"keyring": True} for entry in entries.values()
        )
    except EasyLLMError as error:
        assert error.exit_code == 2
    assert file.read_bytes() == data


@given(data=st.binary(max_size=200), ids=st.lists(st.text(max_size=8), max_size=5))
def test_saved_model_ids(home: Path, data: bytes, ids: list[str]) -> None:
    save_model_ids("mine", ids)
    assert load_model_ids("mine") == [model for model in ids if is_shell_safe(model)]
    (state_folder() / "models" / "mine.txt").write_bytes(data)
    assert all(map(is_shell_safe, load_model_ids("mine")))


@given(line=st.text(max_size=40))
def test_splitting_lines_for_completion(line: str) -> None:
    before, begun = split_line(line)
    assert all(word in line or "\\" in line or "'" in line or '"' in line for word in before)
    assert isinstance(begun, str)
