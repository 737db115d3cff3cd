"""A budget's limit of the answer: every adapter sends it, and it is never taken for the user's."""

from collections.abc import Iterator
from typing import Any

import pytest

from easyllm_cli import BaseLLMProvider, Message
from easyllm_cli.config.profile import Profile, find_output_limits
from easyllm_cli.config.settings import OUTPUT_LIMIT_KEYS
from easyllm_cli.errors import ConfigError
from easyllm_cli.events import Done, Event, Model, Start, Text
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.anthropic.capabilities import ModelCapabilities
from easyllm_cli.providers.anthropic.provider import AnthropicProvider
from easyllm_cli.providers.http import HTTPProvider
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.asking import messages
from tests.support.standins.server import StandIn

LIMIT = 1777
QUESTION = [Message("user", ("hi",))]
every_adapter = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.name)


@pytest.fixture(name="server", params=[None], ids=[""])
def adapters_server(adapter: Adapter) -> Iterator[StandIn]:
    with StandIn(adapter.server().handle) as server:
        yield server


def limited(adapter: Adapter, server: StandIn, limit: int = LIMIT, **keys: Any) -> HTTPProvider:
    provider = provider_for(adapter.profile(server, **keys)).per_answer_copy()
    assert isinstance(provider, HTTPProvider)
    provider.limit_output(limit)
    return provider


@every_adapter
@pytest.mark.parametrize("keys", [{}, {"send_defaults": True}, {"reasoning": "high"}], ids=str)
def test_every_adapter_sends_the_budgets_limit(
    adapter: Adapter, server: StandIn, keys: dict[str, Any]
) -> None:
    provider = limited(adapter, server, **keys)
    request = provider.request(QUESTION, True)
    assert find_output_limits(request.body or {}) == [LIMIT]
    assert provider.profile.max_tokens is None
    assert not provider.limits_output(request)


@every_adapter
def test_the_users_limit_stays_beside_the_budgets(adapter: Adapter, server: StandIn) -> None:
    provider = limited(adapter, server, max_tokens=5)
    request = provider.request(QUESTION, True)
    assert find_output_limits(request.body or {}) == [5]
    assert provider.limits_output(request)


NO_LIMITS: list[dict[str, Any]] = [
    dict.fromkeys(OUTPUT_LIMIT_KEYS),
    dict.fromkeys(OUTPUT_LIMIT_KEYS, "all"),
    dict.fromkeys(OUTPUT_LIMIT_KEYS, -1),
    dict.fromkeys(OUTPUT_LIMIT_KEYS, LIMIT + 1),
]
REPLACED = {"gemini": {"generationConfig": {"topK": 3}}, "ollama": {"options": {"top_k": 3}}}


@every_adapter
async def test_budget_6_a_request_without_the_limit_is_not_sent(
    adapter: Adapter, server: StandIn
) -> None:
    no_limits = [*NO_LIMITS, *filter(None, [REPLACED.get(adapter.name)])]
    if (
        adapter.name != "anthropic"
    ):  # its 0 asks for no answer, and is refused without a budget, too
        no_limits.append(dict.fromkeys(OUTPUT_LIMIT_KEYS, 0))
    for options in no_limits:
        provider = limited(adapter, server, options=options)
        with pytest.raises(ConfigError, match="a budget is set") as caught:
            await provider.chat(messages())
        assert "--max-tokens" in caught.value.hint
        await provider.aclose()
    posted = [request for request in server.requests if request.method == "POST"]
    assert not [request for request in posted if not request.path.endswith("/api/show")]


@pytest.mark.parametrize("name", ["gemini", "ollama"])
async def test_budget_6_a_limit_by_a_name_that_the_server_ignores_is_none(name: str) -> None:
    (adapter,) = [each for each in HTTP_ADAPTERS if each.id == name]
    with StandIn(adapter.server().handle) as server:
        provider = limited(adapter, server, options={"max_tokens": 5})
        with pytest.raises(ConfigError, match="a budget is set"):
            await provider.chat(messages())
        await provider.aclose()


class Plugin(BaseLLMProvider):
    """An adapter of somebody who has never heard of budgets."""

    async def events(self, messages: list[Message], stream: bool) -> Any:
        done: list[Event] = [Start("x", "m"), Text("Hello"), Done("stop", True)]
        for event in done:
            yield event

    async def models(self) -> list[Model]:
        return []


def test_budget_6_a_plugin_that_sends_no_limit_needs_the_users() -> None:
    with pytest.raises(ConfigError, match="may not limit its answers"):
        Plugin(Profile.of({"provider": "x"})).limit_output(5)
    Plugin(Profile.of({"provider": "x", "max_tokens": 9})).limit_output(5)


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({}, None),
        ({"send_defaults": True}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "options": {"num_predict": 7}}, 7),
        ({"max_tokens": 5, "options": {"options": {"num_predict": 3}}}, 3),
        ({"options": {"max_tokens": 3, "max_completion_tokens": 9}}, 9),
        ({"options": {"max_tokens": "12"}}, 12),
        ({"options": {"max_tokens": 12.0}}, 12),
        ({"max_tokens": 5, "options": {"num_predict": -1}}, None),
        ({"max_tokens": 5, "options": {"max_tokens": None}}, None),
        ({"options": {"max_tokens": True}}, None),
        ({"options": {"max_tokens": 1.5}}, None),
        ({"options": {"max_tokens": 0}}, 0),
    ],
    ids=str,
)
def test_the_users_limit_is_found_under_every_name(
    config: dict[str, Any], limit: int | None
) -> None:
    assert Profile.of({"provider": "ollama", **config}).output_limit() == limit


def claude(**settings: Any) -> AnthropicProvider:
    """Return a provider whose model thinks within a budget of tokens."""
    url = "http://127.0.0.1:9"
    config = {"provider": "anthropic", "endpoint": url, "model": "m", "api_key": "k", **settings}
    provider = AnthropicProvider(Profile.of(config))
    types = {"enabled": {"supported": True}, "adaptive": {"supported": False}}
    thinking = {"supported": True, "types": types}
    provider.thinking.capabilities = ModelCapabilities({"capabilities": {"thinking": thinking}})
    return provider


def test_answers_of_one_provider_have_limits_of_their_own() -> None:
    provider = claude()
    answers = [provider.per_answer_copy() for _ in range(3)]
    answers[0].limit_output(100)
    answers[1].limit_output(200)
    bodies = [answer.request(QUESTION, True).body or {} for answer in answers]
    assert [body["max_tokens"] for body in bodies] == [100, 200, 8192]


@pytest.mark.parametrize(("limit", "thinks"), [(1024, False), (3000, True)])
def test_the_budgets_limit_leaves_room_for_thinking_or_none_is_sent(
    limit: int, thinks: bool
) -> None:
    provider = claude(reasoning="high").per_answer_copy()
    provider.limit_output(limit)
    body = provider.request(QUESTION, True).body or {}
    assert body["max_tokens"] == limit
    assert body.get("thinking", {}).get("budget_tokens", 0) < limit
    assert ("thinking" in body) is thinks
