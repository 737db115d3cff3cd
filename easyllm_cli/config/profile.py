"""Profile: which provider and model, and how; the one list of what a profile may say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import ConfigError, suggest_name
from ..secret import Secret
from .settings import (
    SETTING_RANGES,
    has_type,
    is_beyond_float_range,
    parse_form_value,
    require_json_serializable,
    validate_header,
)

REASONING_EFFORTS = ("off", "minimal", "low", "medium", "high", "max")
KEY_SOURCES = ("api_key_env", "api_key_cmd", "api_key_file", "keyring", "api_key")
MULTI_KEY_PROVIDERS = ("litellm",)  # the providers whose key may be a list (DESIGN §6)
# The spec's defaults (DESIGN §5), sent softly where they are sent at all.
DEFAULT_SAMPLING = {"temperature": 0.7, "max_tokens": 8192, "top_p": 0.9}
# What reaches beyond the request: it reads files, variables and stored keys, runs commands, or
# decides whom to trust. A config dict may be a stranger's words, and must not (SECURITY.md).
TRUSTED_ONLY_SETTINGS = (
    "api_key_env",
    "api_key_cmd",
    "api_key_file",
    "keyring",
    "ca_bundle",
    "proxy",
    "mmproj",
)
VERBATIM_SETTINGS = ("system", "stop")  # texts whose white space counts
SAMPLING_SETTINGS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop")


def _setting_field(description: str, choices: tuple[str, ...] = (), default: Any = None) -> Any:
    """A profile key: what it says, for the README's table, and the words it may hold."""
    return field(default=default, metadata={"description": description, "choices": choices})


@dataclass(frozen=True)
class Timeout:
    """How long to wait, in seconds; total None = no limit (600 for a plain request)."""

    connect: float = 10.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float | None = None


@dataclass(frozen=True)
class Profile:
    """One named way to reach a model. Unknown keys of a library's dict go to `options`."""

    name: str = ""
    provider: str | None = _setting_field("name of a provider, built in or installed")
    endpoint: str | None = _setting_field("base URL (also: base_url)")
    model: str | None = _setting_field("the model's own name")
    extends: str | None = _setting_field("a built-in name or another profile to start from")
    system: str | None = _setting_field("system prompt")
    api: str | None = _setting_field("which of OpenAI's protocols", ("chat", "responses"))
    transport: str = _setting_field("own HTTP, or the provider's SDK", ("http", "sdk"), "http")
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
    ca_bundle: str | None = _setting_field("PEM file of the authorities to trust")
    proxy: str | None = _setting_field('proxy URL; "" uses none')
    allow_http: bool = _setting_field("send a key over http:// to another machine", default=False)
    organization: str | None = _setting_field("OpenAI organization")
    project: str | None = _setting_field("OpenAI project")
    temperature: float | None = _setting_field("sampling temperature")
    max_tokens: int | None = _setting_field("longest answer, in tokens")
    top_p: float | None = _setting_field("nucleus sampling")
    top_k: int | None = _setting_field("sample from the k likeliest tokens")
    seed: int | None = _setting_field("seed of the sampling")
    stop: str | list[str] | None = _setting_field("text that ends the answer")
    reasoning: str | None = _setting_field("how hard to think", REASONING_EFFORTS)
    reasoning_tags: str = _setting_field(
        "inline marks of reasoning", ("auto", "implicit", "off"), "auto"
    )
    max_retries: int = _setting_field("retries after the first try", default=3)
    initial_retry_delay: float = _setting_field("first wait, seconds", default=1.0)
    max_retry_delay: float = _setting_field("longest wait, seconds", default=60.0)
    retry_multiplier: float = _setting_field("growth of the waits", default=2.0)
    retry_budget: float = _setting_field("all waits together, seconds", default=120.0)
    timeout: Timeout = _setting_field(
        "table: connect, first_token, idle, total (seconds)", default=Timeout()
    )
    fallback: list[str] | None = _setting_field("profiles to ask when this one fails")
    fallback_models: list[str] | None = _setting_field(
        "models the provider itself may fall back to"
    )
    num_ctx: int | None = _setting_field("ollama, local: context in tokens")
    keep_alive: str | int | float | None = _setting_field("ollama: how long the model stays loaded")
    mmproj: str | None = _setting_field("local: the vision part of a model")
    send_defaults: bool = _setting_field(
        "send temperature 0.7, max_tokens 8192, top_p 0.9", default=False
    )
    strict: bool = _setting_field("an answer that is not complete is an error", default=False)
    options: dict[str, Any] | None = _setting_field("table sent to the provider as it is")
    # No keys of a profile, but of one call: `--think` and `cot` ask for reasoning without saying
    # how hard; `--schema` is a JSON schema; `--elicit` asks for reasoning in tags.
    think: bool = False
    schema: dict[str, Any] | None = None
    elicit: str | None = None
    # The options that choose it: a row of a database has two of its own.
    selected_by: str = "-p"
    # Made of a dict that nobody vouched for.
    untrusted: bool = False

    @classmethod
    def of(cls, config: Profile | Mapping[str, Any]) -> Profile:
        """From a Profile or a dict of your own; keys that no profile has go to `options`.

        A dict's values may be written as web forms send them: "0.7", "" for not given.
        Raises:
            ConfigError: it is no dict, or a value has the wrong type.
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
        """The spec's own door: as `of`, but a dict that does not say otherwise sends the spec's
        defaults, softly; a Profile sends only what it names.

        `trusted`: the dict may name what reaches beyond the request.
        Raises:
            ConfigError: as `of`, or a dict that is not trusted names such a thing.
        """
        made = cls.of(config)
        if isinstance(config, Profile):
            return made
        if not (trusted or isinstance(config, TrustedConfig)):
            refuse_trusted_only_settings(made)
            made = replace(made, untrusted=True, proxy=None)
        soft = parse_form_value(config.get("send_defaults"), "bool") is None
        return made.replace_set(send_defaults=True) if soft else made

    @property
    def cli_selector(self) -> str:
        """What a command line says to choose it, e.g. `-p mine`."""
        return f"{self.selected_by} {self.name}"

    def replace_set(self, **changes: Any) -> Profile:
        """A copy with what is not None changed."""
        kept = {key: value for key, value in changes.items() if value is not None}
        return replace(self, **kept) if kept else self

    def sampling(self) -> dict[str, Any]:
        """What the user asked for: temperature, max_tokens, … under the profile's own names."""
        named = {key: getattr(self, key) for key in SAMPLING_SETTINGS}
        return {key: value for key, value in named.items() if value is not None}

    def defaults(self) -> dict[str, Any]:
        """The spec's defaults that are sent softly: only what the user did not set."""
        if not self.send_defaults:
            return {}
        return {key: value for key, value in DEFAULT_SAMPLING.items() if getattr(self, key) is None}


class TrustedConfig(dict[str, Any]):
    """A config dict that may say all that a Profile may: one that we made ourselves."""


def refuse_trusted_only_settings(profile: Profile) -> None:
    """Raise ConfigError for a profile, made of a dict, that names more than the request needs."""
    named = [key for key in TRUSTED_ONLY_SETTINGS if getattr(profile, key)]
    named += [
        f"headers.{name} = env:…"
        for name, value in (profile.headers or {}).items()
        if value.startswith("env:")
    ]
    if named:
        raise trusted_only_error(named[0], named[0].partition(".")[0])


def trusted_only_error(setting: str, key: str) -> ConfigError:
    """The error for what only a dict of the developer's own may say."""
    return ConfigError(
        f"{setting} is refused in a config dict, as it reaches beyond the request",
        code=key,
        hint="pass trust_configs=True if the dict is your own, or give a Profile",
    )


SETTING_FIELDS = {item.name: item for item in fields(Profile) if item.metadata}
TIMEOUT_FIELDS = {item.name: item for item in fields(Timeout)}
SETTING_ALIASES = {"base_url": "endpoint"}


def resolve_setting_alias(key: str) -> str:
    """A key's own name: `base_url` is accepted for `endpoint`."""
    return SETTING_ALIASES.get(key, key)


def _parse_form_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A dict's settings in the types that a profile has, without what is not given; and the rest.

    `proxy` alone may be an empty text: it means that none is used.
    """
    known: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for key, value in config.items():
        name = resolve_setting_alias(key)
        if name not in SETTING_FIELDS:
            other[key] = value
            continue
        if name == "timeout":
            read = _parse_form_timeout(value)
        elif name == "proxy" and value == "":
            read = value
        else:
            read = parse_form_value(
                value, str(SETTING_FIELDS[name].type), name in VERBATIM_SETTINGS
            )
        if read is not None:
            known[name] = read
    return known, other


def _parse_form_timeout(value: Any) -> Any:
    """A dict's `timeout`: a number is the total."""
    if isinstance(value, Mapping):
        read = {key: parse_form_value(seconds, "float") for key, seconds in value.items()}
        return {key: seconds for key, seconds in read.items() if seconds is not None}
    number = parse_form_value(value, "float")
    return {"total": number} if has_type(number, "float") else number


def _timeout_from_table(value: Any) -> Timeout:
    """The `timeout` table.

    Raises:
        ConfigError: an unknown key, or a value that is no positive number.
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
    """A Profile from a table, every key and type checked; the error's `code` is the key.

    Raises:
        ConfigError: unknown key, wrong type, wrong word, or two sources for one key.
    """
    made: dict[str, Any] = {}
    for key, value in settings.items():
        known = SETTING_FIELDS.get(resolve_setting_alias(key))
        if known is None:
            raise ConfigError(
                f'unknown key "{key}"', code=key, hint=suggest_name(key, SETTING_FIELDS)
            )
        made[known.name] = validate_setting(known.name, value)
    named = [source for source in KEY_SOURCES if made.get(source) is not None]
    if len(named) > 1:
        raise ConfigError(
            f"two sources for one key: {' and '.join(named)}", code=named[1], hint="keep one"
        )
    profile = Profile(name=name, **made)
    if profile.provider not in (None, *MULTI_KEY_PROVIDERS):
        refuse_multiple_api_keys(profile)
    return profile


def refuse_multiple_api_keys(profile: Profile) -> None:
    """Only litellm balances keys; elsewhere a list is a mistake.

    Raises:
        ConfigError: the profile names several keys.
    """
    for source in ("api_key_env", "api_key"):
        if isinstance(getattr(profile, source), list):
            raise ConfigError(
                f"{source} is a list, and only litellm balances keys", code=source, hint="name one"
            )


def validate_setting(key: str, value: Any) -> Any:
    """A key's value in the form that Profile holds.

    Raises:
        ConfigError: wrong type, out of range, a word that is not known, or no JSON in `options`.
    """
    if key == "timeout":
        return _timeout_from_table(value)
    known = SETTING_FIELDS[key]
    if not has_type(value, str(known.type)):
        raise ConfigError(
            f"{key} must be {str(known.type).replace('Secret', 'str').removesuffix(' | None')}, "
            f"not {type(value).__name__}",
            code=key,
        )
    least, most = SETTING_RANGES.get(key, (None, None))
    if value is not None and (
        (least is not None and not value >= least)  # as NaN is, too
        or (most is not None and not value <= most)
        or ("float" in str(known.type) and is_beyond_float_range(value))
    ):
        allowed = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ConfigError(f"{key} = {value} is out of range", code=key, hint=allowed)
    words = known.metadata["choices"]
    if words and value is not None and value not in words:
        raise ConfigError(f'{key} = "{value}" is not known', code=key, hint=" | ".join(words))
    return _convert_setting(key, value)


def _convert_setting(key: str, value: Any) -> Any:
    """A value of the right type and range in the form that Profile holds.

    Raises:
        ConfigError: no JSON in `options`, or what is no header.
    """
    if key == "options" and value is not None:
        require_json_serializable(value)
    if key == "headers":
        for name, one in (value or {}).items():
            validate_header(name, "" if one.startswith("env:") else one)
    if key in {"organization", "project"} and isinstance(value, str):
        return validate_header(key, value, key)
    if key == "api_key" and isinstance(value, list):
        return [validate_setting(key, one) for one in value]
    if key == "api_key" and isinstance(value, str):
        return Secret(value)
    if key in {"api_key_file", "ca_bundle", "mmproj"} and isinstance(value, str):
        return os.path.expanduser(value)
    return value
