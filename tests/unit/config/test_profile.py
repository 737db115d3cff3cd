"""Profile: which values it accepts, and what a config dict becomes."""

import pickle
from dataclasses import fields
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile, profile_from_settings
from easyllm_cli.config.setting_values import TYPE_CHECKS, expand_path
from easyllm_cli.config.settings import (
    AUTO_PROVIDER,
    DEFAULT_SAMPLING,
    PRICE_KEYS,
    SETTINGS,
    TIMEOUT_KEYS,
    Timeout,
    resolve_setting_alias,
)
from easyllm_cli.errors import ConfigError, suggest_name
from easyllm_cli.providers import ADAPTERS
from easyllm_cli.secret import Secret
from tests.support.setting_examples import example_value

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"temperature": True}, "temperature must be a number, not true"),
    ({"temperature": "half"}, 'not "half"'),
    ({"temperature": "1_0"}, 'not "1_0"'),
    ({"temperature": "nan"}, 'not "nan"'),
    ({"max_tokens": "9" * 5000}, 'not "' + "9" * 80 + '"'),
    ({"max_tokens": "1.5"}, "must be a whole number, not 1.5"),
    ({"strict": "maybe"}, 'must be true or false, not "maybe"'),
    ({"temperature": -0.1}, "between 0 and 2"),
    ({"temperature": 10**400}, "out of range"),
    ({"temperature": float("nan")}, "temperature"),
    ({"temperature": float("inf")}, "temperature"),
    ({"max_tokens": 1.5}, "must be a whole number, not 1.5"),
    ({"max_tokens": False}, "must be a whole number, not false"),
    ({"max_retries": 101}, "between 0 and 100"),
    ({"max_retries": -1}, "out of range"),
    ({"retry_multiplier": 0.5}, "at least 1"),
    ({"retry_budget": float("nan")}, "retry_budget"),
    ({"stop": [1]}, "text or a list of texts, not a list with a number"),
    ({"fallback": "one"}, "a list of texts, not text"),
    ({"headers": {"a": 1}}, "a table of texts, not a table with a number"),
    ({"headers": "a: b"}, "a table of texts, not text"),
    ({"options": 5}, "options"),
    ({"options": "text", "unknown": 1}, "options"),
    ({"allow_http": 1}, "true or false, not 1"),
    ({"api": "chats"}, "chat | responses"),
    ({"transport": "http2"}, "http | sdk"),
    ({"reasoning": "hard"}, "off | minimal | low | medium | high | max"),
    ({"reasoning_tags": "on"}, "auto | implicit | off"),
    ({"timeout": True}, "timeout must be a table"),
    ({"timeout": "soon"}, "timeout must be a table"),
    ({"timeout": 0}, "above 0"),
    ({"timeout": {"idel": 5}}, 'did you mean "idle"'),
    ({"timeout": {"idle": 0}}, "above 0"),
    ({"timeout": {"idle": True}}, "above 0"),
    ({"timeout": {"total": float("nan")}}, "above 0"),
    ({"price": 3}, "price must be a table of numbers, not a number"),
    ({"price": {"input": True, "output": 1}}, "a table of numbers"),
    ({"price": {"input": 1, "out": 2}}, 'did you mean "output"'),
    ({"price": {"input": 1}}, "price names no output"),
    ({"price": {"input": 1, "output": -1}}, "price.output must be a number of US dollars"),
    ({"price": {"input": float("nan"), "output": 1}}, "price.input must be a number"),
    ({"price": {"input": 10**400, "output": 1}}, "price.input must be a number"),
    ({"api_key": "a", "api_key_env": "B"}, "two sources for one key"),
    ({"api_key": 5}, "api_key must be text or a list of texts, not a number"),
    ({"api_key": ["a", 5]}, "api_key must be text or a list of texts, not a list with a number"),
    ({"provider": "openai", "api_key": ["a", "b"]}, "only litellm takes several keys"),
    ({"provider": "openai", "api_key_env": ["A", "B"]}, "only litellm takes several keys"),
    ({"endpoint": 5}, "endpoint must be text, not a number"),
    ({"base_url": 5}, "endpoint must be text, not a number"),
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("key", ["temperature", "max_tokens", "top_k", "seed", "num_ctx"])
def test_a_number_too_long_to_print_is_out_of_range(key: str, sign: int) -> None:
    """Python prints no integer of more than 4,300 digits; the error must not need to."""
    with pytest.raises(ConfigError, match=f"{key} = a huge number is out of range"):
        Profile.of({"provider": "ollama", key: sign * 10**5000})


@pytest.mark.parametrize(("table", "says"), WRONG, ids=str)
def test_invalid_value_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Profile.of({"provider": "openai", **table})
    assert says in str(caught.value)
    assert caught.value.code is None or resolve_setting_alias(caught.value.code) in {
        *SETTINGS, *TIMEOUT_KEYS, "idel", *PRICE_KEYS, "out",
    }  # fmt: skip


RIGHT: list[tuple[str, Any]] = [
    ("temperature", 0), ("temperature", 2), ("temperature", None), ("top_k", 0), ("max_tokens", 1),
    ("stop", "x"), ("stop", ["x", "y"]), ("keep_alive", "5m"), ("keep_alive", -1),
    ("keep_alive", 0.5), ("headers", {"a": "env:B"}), ("options", {"a": {"b": [1]}}),
    ("api_key_cmd", "pass show x"), ("api_key_cmd", ["pass", "show"]), ("reasoning", "off"),
    ("seed", -5), ("retry_budget", 0), ("timeout", Timeout(idle=1)),
    ("price", {"input": 0, "output": 0.6}), ("price", {"input": 1, "output": 2, "cached": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), RIGHT, ids=str)
def test_valid_value_is_kept(key: str, value: Any) -> None:
    assert getattr(Profile.of({"provider": "openai", key: value}), key) == value


FORMS: list[tuple[str, Any, Any]] = [
    ("temperature", "0.7", 0.7), ("temperature", " 1 ", 1.0), ("max_tokens", "100", 100),
    ("max_tokens", 100.0, 100), ("max_tokens", "100.0", 100), ("top_k", "0", 0),
    ("max_retries", "", 3), ("max_retries", None, 3), ("seed", "-5", -5), ("num_ctx", 4096.0, 4096),
    ("strict", "on", True), ("strict", "False", False), ("allow_http", "", False),
    ("endpoint", "", None), ("endpoint", " http://h/v1 ", "http://h/v1"), ("api_key", "", None),
    ("api_key", "  ", None), ("model", "", None), ("system", "", None), ("reasoning", "", None),
    ("transport", "", "http"), ("headers", "", None), ("options", "", None), ("fallback", "", None),
    ("proxy", "", ""), ("system", " Be brief. ", " Be brief. "), ("stop", "\n", "\n"),
    ("stop", "", None), ("keep_alive", "300", 300), ("keep_alive", "-1", -1),
    ("price", {"input": "0.15", "output": "1", "cached": ""}, {"input": 0.15, "output": 1.0}),
    ("price", {"input": ""}, None), ("price", "", None),
    ("keep_alive", "5m", "5m"), ("timeout", 30, Timeout(total=30)),
    ("timeout", "30", Timeout(total=30)), ("timeout", 0.5, Timeout(total=0.5)),
    ("timeout", "", Timeout()), ("timeout", {"idle": "5", "total": ""}, Timeout(idle=5)),
]  # fmt: skip


@pytest.mark.parametrize(("key", "written", "read"), FORMS, ids=str)
def test_config_dict_values_may_be_text_as_from_web_forms(
    key: str, written: Any, read: Any
) -> None:
    value = getattr(Profile.of({"provider": "openai", key: written}), key)
    assert value == read
    assert type(value) is type(read)


def test_empty_text_in_a_config_dict_means_unset() -> None:
    config = {"provider": "openai", "base_url": "", "send_defaults": "", "temperature": ""}
    profile = Profile.from_config(config)
    assert (profile.endpoint, profile.send_defaults, profile.temperature) == (None, True, None)
    assert Profile.from_config({**config, "send_defaults": "false"}).send_defaults is False


def test_settings_of_a_file_are_not_converted() -> None:
    for table in ({"temperature": "0.7"}, {"max_tokens": 1.0}, {"timeout": 30}):
        with pytest.raises(ConfigError):
            profile_from_settings(table)


def test_unknown_keys_of_a_config_dict_become_options() -> None:
    profile = Profile.of({"provider": "openai", "options": {"a": 1}, "b": 2, "min_p": 0.1})
    assert profile.options == {"a": 1, "b": 2, "min_p": 0.1}
    assert Profile.of({"provider": "openai"}).options is None
    config = {"provider": "openai", "options": {"a": 1}, "b": 2}
    Profile.of(config)
    assert config == {"provider": "openai", "options": {"a": 1}, "b": 2}


def test_unknown_keys_of_a_file_are_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match='did you mean "temperature"') as caught:
        profile_from_settings({"temprature": 1}, "a")
    assert caught.value.code == "temprature"
    for name in ("name", "think"):
        with pytest.raises(ConfigError, match="unknown key"):
            profile_from_settings({name: "x"}, "a")


def test_profile_of_a_profile_is_the_same_object() -> None:
    profile = Profile.of({"provider": "openai"})
    assert Profile.of(profile) is profile
    assert profile.name == "openai"


def test_the_key_is_a_secret() -> None:
    profile = Profile.of({"provider": "openai", "api_key": "sk-very-secret"})
    assert isinstance(profile.api_key, Secret)
    assert "sk-very-secret" not in repr(profile)
    assert profile.api_key.reveal() == "sk-very-secret"
    assert Profile.of({"api_key": profile.api_key}).api_key == profile.api_key
    with pytest.raises(TypeError):
        pickle.dumps(profile)


def test_tilde_in_paths_is_expanded(home: Any) -> None:
    paths = [key for key, each in SETTINGS.items() if each.convert is expand_path]
    assert {"api_key_file", "ca_bundle", "mmproj"} <= set(paths)
    for key in paths:
        assert getattr(Profile.of({key: "~/x"}), key) == f"{home}/x"


def test_replace_set_ignores_none() -> None:
    profile = Profile.of({"provider": "openai", "temperature": 0.5})
    assert profile.replace_set(temperature=None) is profile
    assert profile.replace_set(temperature=0.0).temperature == 0.0
    assert profile.temperature == 0.5


def test_sampling_is_what_the_user_set() -> None:
    assert Profile.of({"provider": "openai"}).sampling() == {}
    assert Profile.of({"temperature": 0, "stop": "x"}).sampling() == {"temperature": 0, "stop": "x"}


def test_defaults_are_sent_only_if_requested_and_unset() -> None:
    assert Profile.of({"provider": "openai"}).defaults() == {}
    profile = Profile.of({"send_defaults": True, "temperature": 0})
    assert profile.defaults() == {"max_tokens": 8192, "top_p": 0.9}
    assert DEFAULT_SAMPLING == {"temperature": 0.7, "max_tokens": 8192, "top_p": 0.9}
    sent = ", ".join(f"{name} {value}" for name, value in DEFAULT_SAMPLING.items())
    assert SETTINGS["send_defaults"].description == f"send {sent}"


@pytest.mark.parametrize("key", SETTINGS)
def test_every_declaration_of_a_setting_is_consistent(key: str) -> None:
    setting = SETTINGS[key]
    assert setting.description
    assert set(setting.type.split(" | ")) <= set(TYPE_CHECKS)
    assert set(setting.adapters) <= {*ADAPTERS, AUTO_PROVIDER}
    assert setting.refers_to in ("", "profiles", "providers")
    assert getattr(Profile(), key) == setting.default
    if setting.default is not None:
        assert setting.validate(setting.default) == setting.default
    value = setting.validate(example_value(setting))
    assert value != setting.default
    assert getattr(Profile.of({key: value}), key) == value


def test_fields_that_are_no_settings() -> None:
    others = {item.name for item in fields(Profile)} - set(SETTINGS)
    assert others == {
        "name",
        "think",
        "schema",
        "choices",
        "elicit",
        "max_cost",
        "total_budget",
        "selected_by",
        "untrusted",
        "profiles_path",
    }


def test_documented_defaults() -> None:
    profile = Profile()
    assert (profile.max_retries, profile.initial_retry_delay, profile.max_retry_delay) == (
        3,
        1.0,
        60.0,
    )
    assert (profile.retry_multiplier, profile.retry_budget) == (2.0, 120.0)
    assert profile.timeout == Timeout(connect=10, first_token=120, idle=60, total=None)


def test_suggest_name() -> None:
    assert suggest_name("temprature", SETTINGS) == 'did you mean "temperature"?'
    assert suggest_name("xyz", ["a", "b"]) == "known: a, b"
    assert " or " in suggest_name("api_key_", SETTINGS)
