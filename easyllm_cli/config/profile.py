"""Profile: which provider and model, and how; the one list of what a profile may say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import ConfigError, nearest
from ..secret import Secret
from .settings import (
    RANGES,
    fits,
    from_form,
    header_value,
    is_beyond_floats,
    refuse_what_is_no_json,
)

EFFORTS = ("off", "minimal", "low", "medium", "high", "max")
KEY_SOURCES = ("api_key_env", "api_key_cmd", "api_key_file", "keyring", "api_key")
BALANCED = ("litellm",)  # the providers whose key may be a list (DESIGN §6)
# The spec's defaults (DESIGN §5), sent softly where they are sent at all.
DEFAULTS = {"temperature": 0.7, "max_tokens": 8192, "top_p": 0.9}
# What reaches beyond the request: it reads files, variables and stored keys, runs commands, or
# decides whom to trust. A config dict may be a stranger's words, and must not (SECURITY.md).
REACHING = ("api_key_env", "api_key_cmd", "api_key_file", "keyring", "ca_bundle", "proxy", "mmproj")
VERBATIM = ("system", "stop")  # texts whose white space counts
SAMPLING = ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop")


def _key(says: str, one_of: tuple[str, ...] = (), default: Any = None) -> Any:
    """A profile key: what it says, for the README's table, and the words it may hold."""
    return field(default=default, metadata={"says": says, "one_of": one_of})


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
    provider: str | None = _key("name of a provider, built in or installed")
    endpoint: str | None = _key("base URL (also: base_url)")
    model: str | None = _key("the model's own name")
    extends: str | None = _key("a built-in name or another profile to start from")
    system: str | None = _key("system prompt")
    api: str | None = _key("which of OpenAI's protocols", ("chat", "responses"))
    transport: str = _key("own HTTP, or the provider's SDK", ("http", "sdk"), "http")
    api_key_env: str | list[str] | None = _key("the variable with the key (litellm: or several)")
    api_key_cmd: str | list[str] | None = _key("a command that prints the key")
    api_key_file: str | None = _key("a file that holds the key, mode 0600")
    keyring: str | None = _key("the key's name in the system keyring")
    api_key: Secret | list[Secret] | None = _key(
        "the key itself (litellm: or several); needs a file of mode 0600"
    )
    headers: dict[str, str] | None = _key("extra headers; a value may be env:NAME")
    ca_bundle: str | None = _key("PEM file of the authorities to trust")
    proxy: str | None = _key('proxy URL; "" uses none')
    allow_http: bool = _key("send a key over http:// to another machine", default=False)
    organization: str | None = _key("OpenAI organization")
    project: str | None = _key("OpenAI project")
    temperature: float | None = _key("sampling temperature")
    max_tokens: int | None = _key("longest answer, in tokens")
    top_p: float | None = _key("nucleus sampling")
    top_k: int | None = _key("sample from the k likeliest tokens")
    seed: int | None = _key("seed of the sampling")
    stop: str | list[str] | None = _key("text that ends the answer")
    reasoning: str | None = _key("how hard to think", EFFORTS)
    reasoning_tags: str = _key("inline marks of reasoning", ("auto", "implicit", "off"), "auto")
    max_retries: int = _key("retries after the first try", default=3)
    initial_retry_delay: float = _key("first wait, seconds", default=1.0)
    max_retry_delay: float = _key("longest wait, seconds", default=60.0)
    retry_multiplier: float = _key("growth of the waits", default=2.0)
    retry_budget: float = _key("all waits together, seconds", default=120.0)
    timeout: Timeout = _key("table: connect, first_token, idle, total (seconds)", default=Timeout())
    fallback: list[str] | None = _key("profiles to ask when this one fails")
    fallback_models: list[str] | None = _key("models the provider itself may fall back to")
    num_ctx: int | None = _key("ollama, local: context in tokens")
    keep_alive: str | int | float | None = _key("ollama: how long the model stays loaded")
    mmproj: str | None = _key("local: the vision part of a model")
    send_defaults: bool = _key("send temperature 0.7, max_tokens 8192, top_p 0.9", default=False)
    strict: bool = _key("an answer that is not complete is an error", default=False)
    options: dict[str, Any] | None = _key("table sent to the provider as it is")
    # No keys of a profile, but of one call: `--think` and `cot` ask for reasoning without saying
    # how hard; `--schema` is a JSON schema; `--elicit` asks for reasoning in tags.
    think: bool = False
    schema: dict[str, Any] | None = None
    elicit: str | None = None
    # The options that choose it: a row of a database has two of its own.
    chosen_by: str = "-p"
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
        known, other = _as_written(config)
        if other and fits(known.get("options"), "dict[str, Any] | None"):
            known["options"] = {**(known.get("options") or {}), **other}
        return build(known, name=str(known.get("provider") or ""))

    @classmethod
    def asked_for(cls, config: Profile | Mapping[str, Any], trusted: bool = False) -> Profile:
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
            refuse_what_reaches_out(made)
            made = replace(made, untrusted=True, proxy=None)
        soft = from_form(config.get("send_defaults"), "bool") is None
        return made.with_(send_defaults=True) if soft else made

    @property
    def choice(self) -> str:
        """What a command line says to choose it, e.g. `-p mine`."""
        return f"{self.chosen_by} {self.name}"

    def with_(self, **changes: Any) -> Profile:
        """A copy with what is not None changed."""
        kept = {key: value for key, value in changes.items() if value is not None}
        return replace(self, **kept) if kept else self

    def sampling(self) -> dict[str, Any]:
        """What the user asked for: temperature, max_tokens, … under the profile's own names."""
        named = {key: getattr(self, key) for key in SAMPLING}
        return {key: value for key, value in named.items() if value is not None}

    def defaults(self) -> dict[str, Any]:
        """The spec's defaults that are sent softly: only what the user did not set."""
        if not self.send_defaults:
            return {}
        return {key: value for key, value in DEFAULTS.items() if getattr(self, key) is None}


class TrustedConfig(dict[str, Any]):
    """A config dict that may say all that a Profile may: one that we made ourselves."""


def refuse_what_reaches_out(profile: Profile) -> None:
    """Raise ConfigError for a profile, made of a dict, that names more than the request needs."""
    named = [key for key in REACHING if getattr(profile, key)]
    named += [
        f"headers.{name} = env:…"
        for name, value in (profile.headers or {}).items()
        if value.startswith("env:")
    ]
    if named:
        raise reaches_out(named[0], named[0].partition(".")[0])


def reaches_out(what: str, key: str) -> ConfigError:
    """The error for what only a dict of the developer's own may say."""
    return ConfigError(
        f"{what} is refused in a config dict, as it reaches beyond the request",
        code=key,
        hint="pass trust_configs=True if the dict is your own, or give a Profile",
    )


KEYS = {item.name: item for item in fields(Profile) if item.metadata}
TIMEOUT_KEYS = {item.name: item for item in fields(Timeout)}
ALIASES = {"base_url": "endpoint"}


def canonical(key: str) -> str:
    """A key's own name: `base_url` is accepted for `endpoint`."""
    return ALIASES.get(key, key)


def _as_written(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A dict's settings in the types that a profile has, without what is not given; and the rest.

    `proxy` alone may be an empty text: it means that none is used.
    """
    known: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for key, value in config.items():
        name = canonical(key)
        if name not in KEYS:
            other[key] = value
            continue
        if name == "timeout":
            read = _written_seconds(value)
        elif name == "proxy" and value == "":
            read = value
        else:
            read = from_form(value, str(KEYS[name].type), name in VERBATIM)
        if read is not None:
            known[name] = read
    return known, other


def _written_seconds(value: Any) -> Any:
    """A dict's `timeout`: a number is the total."""
    if isinstance(value, Mapping):
        read = {key: from_form(seconds, "float") for key, seconds in value.items()}
        return {key: seconds for key, seconds in read.items() if seconds is not None}
    number = from_form(value, "float")
    return {"total": number} if fits(number, "float") else number


def _seconds(value: Any) -> Timeout:
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
        if key not in TIMEOUT_KEYS:
            raise ConfigError(
                f'unknown key "{key}" in timeout', code=key, hint=nearest(key, TIMEOUT_KEYS)
            )
        if not fits(seconds, "float") or not seconds > 0 or is_beyond_floats(seconds):
            raise ConfigError(f"timeout.{key} must be a number of seconds above 0", code=key)
    return Timeout(**value)


def build(table: Mapping[str, Any], name: str = "") -> Profile:
    """A Profile from a table, every key and type checked; the error's `code` is the key.

    Raises:
        ConfigError: unknown key, wrong type, wrong word, or two sources for one key.
    """
    made: dict[str, Any] = {}
    for key, value in table.items():
        known = KEYS.get(canonical(key))
        if known is None:
            raise ConfigError(f'unknown key "{key}"', code=key, hint=nearest(key, KEYS))
        made[known.name] = checked(known.name, value)
    named = [source for source in KEY_SOURCES if made.get(source) is not None]
    if len(named) > 1:
        raise ConfigError(
            f"two sources for one key: {' and '.join(named)}", code=named[1], hint="keep one"
        )
    profile = Profile(name=name, **made)
    if profile.provider not in (None, *BALANCED):
        refuse_several_keys(profile)
    return profile


def refuse_several_keys(profile: Profile) -> None:
    """Only litellm balances keys; elsewhere a list is a mistake.

    Raises:
        ConfigError: the profile names several keys.
    """
    for source in ("api_key_env", "api_key"):
        if isinstance(getattr(profile, source), list):
            raise ConfigError(
                f"{source} is a list, and only litellm balances keys", code=source, hint="name one"
            )


def checked(key: str, value: Any) -> Any:
    """A key's value in the form that Profile holds.

    Raises:
        ConfigError: wrong type, out of range, a word that is not known, or no JSON in `options`.
    """
    if key == "timeout":
        return _seconds(value)
    known = KEYS[key]
    if not fits(value, str(known.type)):
        raise ConfigError(
            f"{key} must be {str(known.type).replace('Secret', 'str').removesuffix(' | None')}, "
            f"not {type(value).__name__}",
            code=key,
        )
    least, most = RANGES.get(key, (None, None))
    if value is not None and (
        (least is not None and not value >= least)  # as NaN is, too
        or (most is not None and not value <= most)
        or ("float" in str(known.type) and is_beyond_floats(value))
    ):
        allowed = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ConfigError(f"{key} = {value} is out of range", code=key, hint=allowed)
    words = known.metadata["one_of"]
    if words and value is not None and value not in words:
        raise ConfigError(f'{key} = "{value}" is not known', code=key, hint=" | ".join(words))
    return _held(key, value)


def _held(key: str, value: Any) -> Any:
    """A value of the right type and range in the form that Profile holds.

    Raises:
        ConfigError: no JSON in `options`, or what is no header.
    """
    if key == "options" and value is not None:
        refuse_what_is_no_json(value)
    if key == "headers":
        for name, one in (value or {}).items():
            header_value(name, "" if one.startswith("env:") else one)
    if key in {"organization", "project"} and isinstance(value, str):
        return header_value(key, value, key)
    if key == "api_key" and isinstance(value, list):
        return [checked(key, one) for one in value]
    if key == "api_key" and isinstance(value, str):
        return Secret(value)
    if key in {"api_key_file", "ca_bundle", "mmproj"} and isinstance(value, str):
        return os.path.expanduser(value)
    return value
