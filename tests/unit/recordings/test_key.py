"""What tells two requests apart, for the cache and for a replay."""

from typing import Any

import pytest

from easyllm_cli.config.profile import Profile, validate_setting
from easyllm_cli.config.settings import KEY_SOURCES, SETTINGS
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.request_identity import identify_request
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.anthropic.capabilities import cache_model
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.providers.request_key import plain_request_key
from easyllm_cli.recordings.key import RequestIdentity
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.replaying import WithoutWire
from tests.support.setting_examples import example_value

MESSAGES = [Message("user", ("hi",))]
URL = "http://127.0.0.1:1"
# Not a change of the same request: another adapter, or the source of a key.
OTHERS = {"provider", "extends", "transport", "api", "ca_bundle", *KEY_SOURCES}
# Fields of a profile that may differ between two requests which are the same.
ABOUT_KEYS = {"api_key", "api_key_env", "api_key_cmd", "api_key_file", "keyring"}
ABOUT_CONNECTIONS = {"ca_bundle", "proxy", "allow_http", "timeout"}
ABOUT_RETRIES = {
    "max_retries", "initial_retry_delay", "max_retry_delay", "retry_multiplier", "retry_budget",
    "fallback",
}  # fmt: skip
ABOUT_LIMITS = {"price", "budget", "total_budget", "max_cost", "rpm", "tpm", "concurrency"}
ABOUT_THE_ANSWER = {"reasoning_tags", "strict", "history", "cache"}  # how it is read and kept
ABOUT_THE_PROFILE = {"name", "extends", "selected_by", "untrusted", "profiles_path"}
ACCOUNT = {"organization", "project"}
ELSEWHERE = {"system", "elicit", "headers"} | ACCOUNT  # what they do to messages and headers counts
ABOUT_A_CHOICE = {"candidates", "prefer", "strong", "escalate"}
MAY_DIFFER = ABOUT_KEYS | ABOUT_CONNECTIONS | ABOUT_RETRIES | ABOUT_LIMITS | ABOUT_THE_ANSWER
# The schema that goes with `choices` counts.
MAY_DIFFER |= ABOUT_THE_PROFILE | ABOUT_A_CHOICE | ELSEWHERE | {"keep_alive", "choices"}
OWN_FIELDS = {  # of a Profile, beside the settings: another value of each
    "name": "n", "selected_by": "--config-id", "untrusted": True, "profiles_path": "/p",
    "elicit": "always", "max_cost": 0.5, "total_budget": {"day": 1.0}, "think": True,
    "schema": {"type": "object"}, "choices": ["a"],
}  # fmt: skip


def sent(config: dict[str, Any]) -> tuple[object, ...]:
    """What --dry-run shows: everything that is sent, but for the key."""
    provider = provider_for(Profile.of(config))
    assert isinstance(provider, HTTPProvider)
    request = provider.dry_request(MESSAGES, stream=True)
    return request.method, request.url, dict(request.headers), request.body


def identify(config: dict[str, Any]) -> RequestIdentity:
    return identify_request(provider_for(Profile.of(config)), MESSAGES)


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
def test_cache_2_whatever_changes_the_request_changes_the_key(adapter: Adapter) -> None:
    base = {"provider": adapter.provider, "model": adapter.model, "endpoint": URL + adapter.base}
    base |= {"api": adapter.api} if adapter.api else {}
    plain, plain_identity = sent(base), identify(base)
    changing = []
    for name in sorted(SETTINGS.keys() - OTHERS):
        changed = base | {name: f"{URL}0" if name == "endpoint" else example_value(SETTINGS[name])}
        try:
            is_same = sent(changed) == plain
        except EasyLLMError:  # the protocol refuses the value
            continue
        has_same_key = identify(changed).cache_key == plain_identity.cache_key
        assert is_same or not has_same_key, name
        assert has_same_key or not is_same or name not in MAY_DIFFER - ACCOUNT, name
        changing += [] if is_same else [name]
    assert {"endpoint", "model", "headers", "temperature", "options"} <= {*changing}


def test_cache_2_and_3_without_a_wire_every_setting_counts_but_those_named() -> None:
    profile = Profile.of({"provider": "litellm", "model": "m"})
    plain = plain_request_key(profile, MESSAGES)
    changes = {name: validate_setting(name, example_value(each)) for name, each in SETTINGS.items()}
    changes |= OWN_FIELDS
    assert changes.keys() == vars(profile).keys()
    for name, value in changes.items():
        assert getattr(profile, name) != value, name
        changed = plain_request_key(profile.replace_set(**{name: value}), MESSAGES)
        assert (changed == plain) == (name in MAY_DIFFER), name


def test_cache_3_without_a_wire_accounts_never_share_but_a_replay_does() -> None:
    changes: list[dict[str, Any]] = [{name: "other"} for name in ACCOUNT]
    identities = [
        identify_request(WithoutWire(Profile.of({"provider": "litellm", **change})), MESSAGES)
        for change in ({}, {"headers": {"X-Team": "a"}}, *changes)
    ]
    assert len({each.cache_key for each in identities}) == 4
    assert len({each.replay_key for each in identities}) == 1


def test_cache_3_endpoints_and_models_never_share() -> None:
    keys = {
        identify(
            {"provider": provider, "model": model, "endpoint": endpoint, "organization": account}
        ).cache_key
        for provider in ("openai", "groq")
        for model in ("a", "b")
        for endpoint in (URL, URL + "/v1")
        for account in ("org-1", "org-2")
    }
    assert len(keys) == 16


def test_cache_3_the_value_of_a_header_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"provider": "openai", "model": "m", "headers": {"X-Account": "env:ACCOUNT"}}
    monkeypatch.delenv("ACCOUNT", raising=False)
    keys = [identify(config).cache_key]
    for account in ("one", "two", "one"):
        monkeypatch.setenv("ACCOUNT", account)
        keys.append(identify(config).cache_key)
    assert (len({*keys}), keys[1]) == (3, keys[3])


def test_a_replay_counts_everything_but_the_endpoint() -> None:
    base = {"provider": "openai", "model": "m", "endpoint": URL}
    key = identify(base).replay_key
    assert identify(base | {"endpoint": "http://localhost:2/v1"}).replay_key == key
    for change in ({"provider": "groq"}, {"model": "n"}, {"seed": 1}, {"options": {"a": 1}}):
        assert identify(base | change).replay_key != key


def test_what_is_learned_of_a_model_changes_no_key() -> None:
    base = {"provider": "anthropic", "model": "m", "endpoint": URL}
    keys = {effort: identify(base | {"reasoning": effort}).cache_key for effort in ("low", "high")}
    before = sent(base | {"reasoning": "low"})
    only_budgets = {"thinking": {"supported": True, "types": {"adaptive": {"supported": False}}}}
    cache_model(URL, "m", {"capabilities": only_budgets, "max_tokens": 64_000})
    assert sent(base | {"reasoning": "low"}) != before
    assert {effort: identify(base | {"reasoning": effort}).cache_key for effort in keys} == keys
    assert len({*keys.values()}) == 2


def test_a_recording_names_numbers_and_digests() -> None:
    config = {"provider": "gemini", "model": "m", "endpoint": URL, "temperature": 0.5}
    described = identify(config).describe()
    assert described["prompt"] == "hi"
    assert described["fields"]["generationConfig.temperature"] == 0.5
    assert len(described["fields"]["contents"]) == 8
