"""Any JSON in model lists and descriptions: names and numbers, or one documented error."""

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
    # The keys of all protocols, so that one list is good for all of them.
    "data": [
        {"id": "m", "context_length": 9, "architecture": {"input_modalities": ["text", "image"]},
         "supported_parameters": ["reasoning"], "pricing": {"prompt": "0.1", "completion": "1"},
         "meta": {"n_ctx": 9, "n_ctx_train": 99}, "capabilities": {"vision": True}},
    ],
    "models": [
        {"name": "models/m", "model": "m", "inputTokenLimit": 9, "thinking": True,
         "supportedGenerationMethods": ["generateContent"], "details": {"family": "llama"},
         "context_length": 9.0, "features": ["vision", "reasoning"]},
    ],
    "nextPageToken": "2",
    "next_page_token": "2",
    "capabilities": ["completion", "vision", "thinking"],
    "model_info": {"general.architecture": "llama", "llama.context_length": 9},
    "parameters": "num_ctx 4096",
}  # fmt: skip
each_protocol = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)


def list_with_price(price: str) -> Any:
    return {"data": [{"id": "m", "pricing": {"prompt": price}}]}


async def list_models(adapter: Adapter, body: Any) -> list[Model]:
    """Return the models that the adapter reads from this body."""
    transport = CannedTransport([json.dumps(body).encode()])
    return await provider_with(adapter, transport, model="m").models()


@each_protocol
async def test_the_good_list(adapter: Adapter) -> None:
    """The unmutated list is good; the other tests rely on it."""
    models = await list_models(adapter, GOOD)
    assert {model.id.removeprefix("models/") for model in models} == {"m"}
    assert models[0].context


@each_protocol
@given(body=mutated_values(GOOD) | json_values)
@example(body=list_with_price("1e400"))
@example(body=list_with_price("1e999999"))
@example(body=list_with_price("9" * 5000))
@example(body={"models": [], "nextPageToken": "\ud800"})
async def test_any_json(adapter: Adapter, body: Any) -> None:
    try:
        models = await list_models(adapter, body)
    except EasyLLMError as error:
        assert is_documented_error(error)
        return
    for model in models:
        assert isinstance(model.id, str)
        assert model.context is None or model.context > 0
        prices = (model.prompt_usd, model.completion_usd)
        assert all(price is None or isfinite(price) for price in prices)


@each_protocol
@given(body=mutated_values(GOOD) | json_values, data=st.data())
async def test_queries_before_an_answer(adapter: Adapter, body: Any, data: st.DataObject) -> None:
    """Whether the model takes images, whether it reasons, whether the key is good."""
    provider = provider_with(adapter, CannedTransport([json.dumps(body).encode()]), model="m")
    ask = data.draw(st.sampled_from([provider.find_model, provider.reasons, provider.check_key]))
    try:
        await ask()
    except EasyLLMError as error:
        assert is_documented_error(error)
