"""Errors that servers send with status 200: in model lists, for wrong paths and missing routes."""

import pytest

from easyllm_cli.errors import AuthError, EasyLLMError, NotFoundError
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.asking import answer_requests, expect_error, open_provider
from tests.support.faults.status import body
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

every_adapter = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.name)


@every_adapter
async def test_a_list_that_is_null_is_empty(adapter: Adapter) -> None:
    with StandIn(script_handler(body(200, {"data": None, "models": None}))) as server:
        async with open_provider(adapter.profile(server)) as provider:
            assert await provider.list_models() == []


@every_adapter
@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ({"error": "Unexpected endpoint or method. (GET /models)"}, NotFoundError),
        ({"detail": "Not authenticated"}, AuthError),
        ({"id": "x", "message": "invalid api token"}, AuthError),
        ({"error": {"message": "The API token is not valid."}}, AuthError),
        ({"data": None, "error": {"code": 401, "message": "no such key"}}, AuthError),
    ],
)
async def test_a_list_that_is_an_error_says_why(
    adapter: Adapter, made: dict[str, object], kind: type[EasyLLMError]
) -> None:
    with StandIn(script_handler(body(200, made))) as server:
        async with open_provider(adapter.profile(server)) as provider:
            with pytest.raises(kind):
                await provider.list_models()


@every_adapter
async def test_unknown_path_is_requested_once(adapter: Adapter) -> None:
    answer = {"error": "Unexpected endpoint or method. (POST /chat/completions)"}
    with StandIn(script_handler(body(200, answer))) as server:
        error = await expect_error(NotFoundError, adapter.profile(server, max_retries=3))
        assert len(answer_requests(server)) == 1
    assert "endpoint" in error.hint or "ollama pull" in error.hint


UNROUTED = {
    "No endpoints found matching your data policy (Free model publication)": "settings/privacy",
    "No allowed providers are available for the selected model.": "settings/preferences",
    "No endpoints found that can handle the requested parameters.": "leave out",
}


@pytest.mark.parametrize(("words", "hint"), UNROUTED.items())
async def test_openrouter_has_no_route_for_a_valid_model(words: str, hint: str) -> None:
    router = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "openrouter")
    with StandIn(script_handler(router.refusal(404, words))) as server:
        error = await expect_error(NotFoundError, router.profile(server))
    assert hint in error.hint
