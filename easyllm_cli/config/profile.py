"""Profile: one model's settings, defaults and checks; which ones an untrusted dict may not set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import ConfigError, suggest_name
from ..secret import Secret
from .settings import (
    SETTING_RANGES,
    format_type,
    format_wrong_value,
    has_type,
    is_beyond_float_range,
    parse_form_value,
    require_json_serializable,
    validate_header,
)

REASONING_EFFORTS = ("off", "minimal", "low", "medium", "high", "max")
KEY_SOURCES = ("api_key_env", "api_key_cmd", "api_key_file", "keyring", "api_key")
MULTI_KEY_PROVIDERS = ("litellm",)  # providers whose API key may be a list
# Sampling defaults of `send_defaults`. They are dropped where a model does not accept them.
DEFAULT_SAMPLING = {"temperature": 0.7, "max_tokens": 8192, "top_p": 0.9}
# Settings that read files, variables or stored keys, run commands, change which servers are
# trusted, or use profiles of the user's file with their keys. A config dict may come from an
# application's users, so it must not set these.
TRUSTED_ONLY_SETTINGS = (
    "api_key_env",
    "api_key_cmd",
    "api_key_file",
    "keyring",
    "ca_bundle",
    "proxy",
    "mmproj",
    "extends",
    "fallback",
)
VERBATIM_SETTINGS = ("system", "stop")  # white space around these texts is kept
SAMPLING_SETTINGS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop")


def _setting_field(description: str, choices: tuple[str, ...] = (), default: Any = None) -> Any:
    """Declare a setting: its description for docs/profiles.md, its allowed words, its default."""
    return field(default=default, metadata={"description": description, "choices": choices})


@dataclass(frozen=True)
class Timeout:
    """Timeouts in seconds; total None = no limit when streaming, 600 when buffered."""

    connect: float = 10.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float | None = None


@dataclass(frozen=True)
class Profile:
    """All settings for one model at one provider; None = not set."""

    name: str = ""
    provider: str | None = _setting_field("provider name, built in or from a plugin")
    endpoint: str | None = _setting_field("base URL (also: base_url)")
    model: str | None = _setting_field("model name")
    extends: str | None = _setting_field("a built-in name or another profile to start from")
    system: str | None = _setting_field("system prompt")
    api: str | None = _setting_field("OpenAI protocol", ("chat", "responses"))
    transport: str = _setting_field("own HTTP client or provider's SDK", ("http", "sdk"), "http")
    api_key_env: str | list[str] | None = _setting_field(
        "the variable with the key (litellm: or several)"
    )
    api_key_cmd: str | list[str] | None = _setting_field("a command that prints the key")
    api_key_file: str | None = _setting_field("a file that holds the key, mode 0600")
    keyring: str | None = _setting_field("the key's name in the system keyring")
    api_key: Secret | list[Secret] | None = _setting_field(
        "the key itself (litellm: or several); needs a file of mode 0600"
    )
    headers: dict[str, str] | None = _setting_field("extra headers; a value may be env:NAME")
    ca_bundle: str | None = _setting_field("PEM file of trusted certificate authorities")
    proxy: str | None = _setting_field('proxy URL; "" uses none')
    allow_http: bool = _setting_field("allow a key over http:// to other machines", default=False)
    organization: str | None = _setting_field("OpenAI organization")
    project: str | None = _setting_field("OpenAI project")
    temperature: float | None = _setting_field("sampling temperature")
    max_tokens: int | None = _setting_field("longest answer, in tokens")
    top_p: float | None = _setting_field("nucleus sampling")
    top_k: int | None = _setting_field("sample from the k likeliest tokens")
    seed: int | None = _setting_field("sampling seed")
    stop: str | list[str] | None = _setting_field("text that ends the answer")
    reasoning: str | None = _setting_field("reasoning effort", REASONING_EFFORTS)
    reasoning_tags: str = _setting_field(
        "reasoning tags inside the answer text", ("auto", "implicit", "off"), "auto"
    )
    max_retries: int = _setting_field("retries after the first try", default=3)
    initial_retry_delay: float = _setting_field("wait before the first retry, seconds", default=1.0)
    max_retry_delay: float = _setting_field("longest wait before a retry, seconds", default=60.0)
    retry_multiplier: float = _setting_field("factor from one wait to the next", default=2.0)
    retry_budget: float = _setting_field("limit of all waits together, seconds", default=120.0)
    timeout: Timeout = _setting_field(
        "table: connect, first_token, idle, total (seconds)", default=Timeout()
    )
    fallback: list[str] | None = _setting_field("profiles to try when this one fails")
    fallback_models: list[str] | None = _setting_field(
        "models the provider itself may fall back to"
    )
    num_ctx: int | None = _setting_field("ollama, local: context in tokens")
    keep_alive: str | int | float | None = _setting_field("ollama: how long the model stays loaded")
    mmproj: str | None = _setting_field("local: vision projector file (GGUF)")
    send_defaults: bool = _setting_field(
        "send temperature 0.7, max_tokens 8192, top_p 0.9", default=False
    )
    strict: bool = _setting_field("an answer cut by your own limit is an error, too", default=False)
    options: dict[str, Any] | None = _setting_field("table of extra request fields, sent unchanged")
    # Not settings of a profile but options of one request: `--think` and `cot` turn reasoning on
    # without an effort; `--schema` is a JSON schema; `--elicit` asks for reasoning in tags.
    think: bool = False
    schema: dict[str, Any] | None = None
    elicit: str | None = None
    # Command line option that selects it: -p, or two options for a database row.
    selected_by: str = "-p"
    # True when it comes from an untrusted config dict.
    untrusted: bool = False
    # Absolute path of the profiles file that it comes from, in which the names of its `fallback`
    # are looked up; None = no file, and the names are those of the user's profiles file.
    profiles_path: str | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, config: Profile | Mapping[str, Any]) -> Profile:
        """Build a Profile from a Profile or a dict; unknown keys of a dict go to `options`.

        A dict's values may be texts as web forms send them: "0.7", "" for not given.

        Raises:
            ConfigError: `config` is not a dict, or a value has the wrong type.
        """
        if isinstance(config, Profile):
            return config
        if not isinstance(config, Mapping):
            raise ConfigError(
                f"a config must be a dict or a Profile, not {type(config).__name__}",
                hint='{"provider": "ollama", "model": "llama3.2"}',
            )
        known, other = _parse_form_config(config)
        if other and has_type(known.get("options"), "dict[str, Any] | None"):
            known["options"] = {**(known.get("options") or {}), **other}
        return profile_from_settings(known, name=str(known.get("provider") or ""))

    @classmethod
    def from_config(cls, config: Profile | Mapping[str, Any], trusted: bool = False) -> Profile:
        """Like `of`, but a dict without `send_defaults` turns it on; a Profile stays as it is.

        `trusted` allows the dict to use TRUSTED_ONLY_SETTINGS.

        Raises:
            ConfigError: as `of`, or an untrusted dict uses one of TRUSTED_ONLY_SETTINGS.
        """
        profile = cls.of(config)
        if isinstance(config, Profile):
            return profile
        if not (trusted or isinstance(config, TrustedConfig)):
            refuse_trusted_only_settings(profile)
            profile = replace(profile, untrusted=True, proxy=None)
        use_default = parse_form_value(config.get("send_defaults"), "bool") is None
        return profile.replace_set(send_defaults=True) if use_default else profile

    @property
    def cli_selector(self) -> str:
        """The command line words that select the profile, e.g. `-p mine`."""
        return f"{self.selected_by} {self.name}"

    def replace_set(self, **changes: Any) -> Profile:
        """Return a copy with these fields replaced; None leaves a field unchanged."""
        new_values = {key: value for key, value in changes.items() if value is not None}
        return replace(self, **new_values) if new_values else self

    def sampling(self) -> dict[str, Any]:
        """The sampling settings that the user set, under their names in the profile."""
        settings = {key: getattr(self, key) for key in SAMPLING_SETTINGS}
        return {key: value for key, value in settings.items() if value is not None}

    def defaults(self) -> dict[str, Any]:
        """With `send_defaults`, the DEFAULT_SAMPLING values that the user did not set."""
        if not self.send_defaults:
            return {}
        return {key: value for key, value in DEFAULT_SAMPLING.items() if getattr(self, key) is None}


class TrustedConfig(dict[str, Any]):
    """A config dict that easyllm built itself, so every setting is allowed."""


def refuse_trusted_only_settings(profile: Profile) -> None:
    """Raise ConfigError for a profile that uses TRUSTED_ONLY_SETTINGS or a header `env:NAME`."""
    refused = [key for key in TRUSTED_ONLY_SETTINGS if getattr(profile, key)]
    refused += [
        f"headers.{name} = env:…"
        for name, value in (profile.headers or {}).items()
        if value.startswith("env:")
    ]
    if refused:
        raise trusted_only_error(refused[0], refused[0].partition(".")[0])


def trusted_only_error(setting: str, key: str) -> ConfigError:
    """The error for a setting that only a trusted config dict may use."""
    return ConfigError(
        f"{setting} is not allowed in an untrusted config dict",
        code=key,
        hint="pass trust_configs=True if the dict is your own, or pass a Profile",
    )


SETTING_FIELDS = {item.name: item for item in fields(Profile) if item.metadata}
TIMEOUT_FIELDS = {item.name: item for item in fields(Timeout)}
SETTING_ALIASES = {"base_url": "endpoint"}


def resolve_setting_alias(key: str) -> str:
    """Return a setting's real name: `base_url` is an alias of `endpoint`."""
    return SETTING_ALIASES.get(key, key)


def _parse_form_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a dict into settings, converted to their types, and unknown keys.

    Empty values are left out, except `proxy`, where empty text means no proxy.
    """
    known: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for key, value in config.items():
        name = resolve_setting_alias(key)
        if name not in SETTING_FIELDS:
            other[key] = value
            continue
        if name == "timeout":
            setting = _parse_form_timeout(value)
        elif name == "proxy" and value == "":
            setting = value
        else:
            setting = parse_form_value(
                value, str(SETTING_FIELDS[name].type), name in VERBATIM_SETTINGS
            )
        if setting is not None:
            known[name] = setting
    return known, other


def _parse_form_timeout(value: Any) -> Any:
    """Convert a dict's `timeout`; a single number is the total in seconds."""
    if isinstance(value, Mapping):
        table = {key: parse_form_value(seconds, "float") for key, seconds in value.items()}
        return {key: seconds for key, seconds in table.items() if seconds is not None}
    number = parse_form_value(value, "float")
    return {"total": number} if has_type(number, "float") else number


def _timeout_from_table(value: Any) -> Timeout:
    """Build a Timeout from the `timeout` table.

    Raises:
        ConfigError: unknown key, or a value that is not a positive number.
    """
    if isinstance(value, Timeout):
        return value
    if not isinstance(value, Mapping):
        hint = "timeout = { first_token = 60 }"
        raise ConfigError("timeout must be a table", code="timeout", hint=hint)
    for key, seconds in value.items():
        if key not in TIMEOUT_FIELDS:
            raise ConfigError(
                f'unknown key "{key}" in timeout', code=key, hint=suggest_name(key, TIMEOUT_FIELDS)
            )
        if not has_type(seconds, "float") or not seconds > 0 or is_beyond_float_range(seconds):
            raise ConfigError(f"timeout.{key} must be a number of seconds above 0", code=key)
    return Timeout(**value)


def profile_from_settings(settings: Mapping[str, Any], name: str = "") -> Profile:
    """Build a Profile from a table and check every key and type.

    Raises:
        ConfigError: unknown setting, invalid value, or two sources for the API key. Its `code` is
            the setting.
    """
    values: dict[str, Any] = {}
    for key, value in settings.items():
        known = SETTING_FIELDS.get(resolve_setting_alias(key))
        if known is None:
            raise ConfigError(
                f'unknown key "{key}"', code=key, hint=suggest_name(key, SETTING_FIELDS)
            )
        values[known.name] = validate_setting(known.name, value)
    sources = [source for source in KEY_SOURCES if values.get(source) is not None]
    if len(sources) > 1:
        raise ConfigError(
            f"two sources for one key: {' and '.join(sources)}", code=sources[1], hint="keep one"
        )
    profile = Profile(name=name, **values)
    if profile.provider not in (None, *MULTI_KEY_PROVIDERS):
        refuse_multiple_api_keys(profile)
    return profile


def refuse_multiple_api_keys(profile: Profile) -> None:
    """Reject a list of API keys: only litellm can take turns among several keys.

    Raises:
        ConfigError: the profile has a list of keys.
    """
    for source in ("api_key_env", "api_key"):
        if isinstance(getattr(profile, source), list):
            raise ConfigError(
                f"{source} is a list, but only litellm takes several keys",
                code=source,
                hint="keep one",
            )


def validate_setting(key: str, value: Any) -> Any:
    """Check a setting's value and return it in the form that Profile stores.

    Raises:
        ConfigError: wrong type, out of range, unknown word, or `options` that are not JSON.
    """
    if key == "timeout":
        return _timeout_from_table(value)
    known = SETTING_FIELDS[key]
    annotation = str(known.type)
    if not has_type(value, annotation):
        wrong = format_wrong_value(value, annotation)
        raise ConfigError(f"{key} must be {format_type(annotation)}, not {wrong}", code=key)
    least, most = SETTING_RANGES.get(key, (None, None))
    if value is not None and (
        (least is not None and not value >= least)  # also true for NaN
        or (most is not None and not value <= most)
        or is_beyond_float_range(value)
    ):
        allowed = f"at least {least}" if most is None else f"between {least} and {most}"
        allowed = allowed if least is not None else "use a smaller number"
        # Python refuses to print an integer of more than 4,300 digits.
        written = "a huge number" if is_beyond_float_range(value) else value
        raise ConfigError(f"{key} = {written} is out of range", code=key, hint=allowed)
    choices = known.metadata["choices"]
    if choices and value is not None and value not in choices:
        raise ConfigError(f'{key} = "{value}" is not known', code=key, hint=" | ".join(choices))
    return _convert_setting(key, value)


def _convert_setting(key: str, value: Any) -> Any:
    """Convert a value of the right type and range to the form that Profile stores.

    Raises:
        ConfigError: `options` that are not JSON, or an invalid header.
    """
    if key == "options" and value is not None:
        require_json_serializable(value)
    if key == "headers":
        for name, text in (value or {}).items():
            validate_header(name, "" if text.startswith("env:") else text)
    if key in {"organization", "project"} and isinstance(value, str):
        return validate_header(key, value, key)
    if key == "api_key" and isinstance(value, list):
        return [validate_setting(key, item) for item in value]
    if key == "api_key" and isinstance(value, str):
        return Secret(value)
    if key in {"api_key_file", "ca_bundle", "mmproj"} and isinstance(value, str):
        return os.path.expanduser(value)
    return value
