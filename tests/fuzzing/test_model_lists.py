"""Any JSON where a server lists or describes its models: names and numbers, or one typed error."""

import json
from math import isfinite
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Model
from tests.fuzzing.canned import CannedTransport, is_documented_error, provider_with
from tests.fuzzing.mutations import json_values, mutated_values
from tests.support.adapters import HTTP_ADAPTERS, Adapter

GOOD: Any = {
    "object": "list",
    # Every protocol's own key, so that one list is good for all of them.
    "data": [
        {"id": "m", "context_length": 9, "architecture": {"input_modalities": ["text", "image"]},
         "supported_parameters": ["reasoning"], "pricing": {"prompt": "0.1", "completion": "1"},
         "meta": {"n_ctx": 9, "n_ctx_train": 99}, "capabilities": {"vision": True}},
    ],
    "models": [
        {"name": "models/m", "model": "m", "inputTokenLimit": 9, "thinking": True,
         "supportedGenerationMethods": ["generateContent"], "details": {"family": "llama"}},
    ],
    "nextPageToken": "2",
    "capabilities": ["completion", "vision", "thinking"],
    "model_info": {"general.architecture": "llama", "llama.context_length": 9},
    "parameters": "num_ctx 4096",
}  # fmt: skip
each_protocol = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)


def priced(price: str) -> Any:
    return {"data": [{"id": "m", "pricing": {"prompt": price}}]}


async def found(adapter: Adapter, body: Any) -> list[Model]:
    """The models that the server's answer tells."""
    carrier = CannedTransport([json.dumps(body).encode()])
    return await provider_with(adapter, carrier, model="m").models()


@each_protocol
async def test_the_good_list(adapter: Adapter) -> None:
    """Else nothing below would mean anything."""
    models = await found(adapter, GOOD)
    assert {one.id.removeprefix("models/") for one in models} == {"m"}
    assert models[0].context


@each_protocol
@given(body=mutated_values(GOOD) | json_values)
@example(body=priced("1e400"))
@example(body=priced("1e999999"))
@example(body=priced("9" * 5000))
@example(body={"models": [], "nextPageToken": "\ud800"})
async def test_any_json(adapter: Adapter, body: Any) -> None:
    try:
        models = await found(adapter, body)
    except EasyLLMError as error:
        assert is_documented_error(error)
        return
    for one in models:
        assert isinstance(one.id, str)
        assert one.context is None or one.context > 0
        prices = (one.prompt_usd, one.completion_usd)
        assert all(price is None or isfinite(price) for price in prices)


@each_protocol
@given(body=mutated_values(GOOD) | json_values, data=st.data())
async def test_what_is_asked_before_an_answer(
    adapter: Adapter, body: Any, data: st.DataObject
) -> None:
    """Whether it sees, reasons, or takes the key."""
    provider = provider_with(adapter, CannedTransport([json.dumps(body).encode()]), model="m")
    ask = data.draw(st.sampled_from([provider.find_model, provider.reasons, provider.check_key]))
    try:
        await ask()
    except EasyLLMError as error:
        assert is_documented_error(error)
