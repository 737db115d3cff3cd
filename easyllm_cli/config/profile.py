"""Profile: one model's settings, defaults and checks; which ones an untrusted dict may not set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError, suggest_name
from .setting_values import convert_form_value, has_type
from .settings import (
    DEFAULT_SAMPLING,
    KEY_LIST_SETTINGS,
    KEY_SOURCES,
    MULTI_KEY_PROVIDERS,
    OUTPUT_LIMIT_KEYS,
    SAMPLING_SETTINGS,
    SETTINGS,
    TRUSTED_ONLY_SETTINGS,
    ProfileSettings,
    resolve_setting_alias,
)

SELECTED_BY_PROFILE = "-p"  # Profile.selected_by of a profile that -p can name


class Profile(ProfileSettings):
    """All settings for one model at one provider; None = not set.

    config/settings.py declares the settings. A Profile is frozen: `dataclasses.replace` copies it.
    """

    # Not settings of a profile but options of one request: `--think` and `cot` turn reasoning on
    # without an effort; `--schema` is a JSON schema; `--elicit` asks for reasoning in tags.
    # `choices`: the texts of which the schema allows one, for servers that take no schema.
    think: bool = False
    schema: dict[str, Any] | None = None
    choices: list[str] | None = None
    elicit: str | None = None
    # `--max-cost` is what all attempts at the answer may cost, in US dollars.
    max_cost: float | None = None
    # The `budget` at the top level of the profiles file.
    total_budget: dict[str, float] | None = None
    # Command line option that selects it: -p, or two options for a database row.
    selected_by: str = SELECTED_BY_PROFILE
    # True when it comes from an untrusted config dict.
    untrusted: bool = False
    # Absolute path of the profiles file that it comes from, in which the names of its `fallback`
    # are looked up; None = no file, and the names are those of the user's profiles file.
    profiles_path: str | None = None

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
            profile = profile.__replace__(untrusted=True, proxy=None)
        use_default = convert_form_value(config.get("send_defaults"), "bool") is None
        return profile.replace_set(send_defaults=True) if use_default else profile

    @property
    def has_budget(self) -> bool:
        """Whether a budget limits what an answer may cost."""
        return bool(self.budget or self.total_budget) or self.max_cost is not None

    @property
    def cli_selector(self) -> str:
        """The command line words that select the profile, e.g. `-p mine`."""
        return f"{self.selected_by} {self.name}"

    def replace_set(self, **changes: Any) -> Profile:
        """Return a copy with these fields replaced; None leaves a field unchanged."""
        new_values = {key: value for key, value in changes.items() if value is not None}
        return self.__replace__(**new_values) if new_values else self

    def sampling(self) -> dict[str, Any]:
        """The sampling settings that the user set, under their names in the profile."""
        return {
            key: value for key in SAMPLING_SETTINGS if (value := getattr(self, key)) is not None
        }

    def output_limit(self) -> int | None:
        """The user's limit of the answer's tokens: of the `options`, else `max_tokens`.

        None = none, or the options ask for none, as Ollama's `num_predict = -1` does.
        """
        limits = find_output_limits(self.options) if self.options else []
        if not limits:
            return self.max_tokens
        known = [limit for limit in limits if limit is not None]
        return max(known) if len(known) == len(limits) else None

    def defaults(self) -> dict[str, Any]:
        """With `send_defaults`, the DEFAULT_SAMPLING values that the user did not set."""
        if not self.send_defaults:
            return {}
        return {key: value for key, value in DEFAULT_SAMPLING.items() if getattr(self, key) is None}


def find_output_limits(fields: Mapping[str, Any]) -> list[int | None]:
    """The limits of the answer's tokens in a request or in its options, under any usual name.

    They stand at the top level or one level below. None = a value that is no limit. A text of
    digits is one, because some servers read it.
    """
    nested = [value for value in fields.values() if isinstance(value, Mapping)]
    tables = (fields, *nested)
    values = [table[name] for table in tables for name in OUTPUT_LIMIT_KEYS if name in table]
    return [_parse_token_count(value) for value in values]


def _parse_token_count(value: Any) -> int | None:
    """A number of tokens, at least 0; None = it is something else."""
    number = convert_form_value(value, "int")
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    return number if is_whole and number >= 0 else None


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


def _parse_form_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a dict into settings, converted to their types, and unknown keys.

    Empty values are left out, except where a setting `keeps_empty`.
    """
    known: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for key, value in config.items():
        name = resolve_setting_alias(key)
        if name not in SETTINGS:
            other[key] = value
            continue
        read_value = SETTINGS[name].read_form(value)
        if read_value is not None:
            known[name] = read_value
    return known, other


def profile_from_settings(settings: Mapping[str, Any], name: str = "") -> Profile:
    """Build a Profile from a table and check every key and type.

    Raises:
        ConfigError: unknown setting, invalid value, two sources for the API key, or half a price.
            Its `code` is the setting.
    """
    values: dict[str, Any] = {}
    for key, value in settings.items():
        known = SETTINGS.get(resolve_setting_alias(key))
        if known is None:
            raise ConfigError(f'unknown key "{key}"', code=key, hint=suggest_name(key, SETTINGS))
        values[known.name] = validate_setting(known.name, value)
    sources = [source for source in KEY_SOURCES if values.get(source) is not None]
    if len(sources) > 1:
        raise ConfigError(
            f"two sources for one key: {' and '.join(sources)}", code=sources[1], hint="keep one"
        )
    profile = Profile(name=name, **values)
    _require_input_and_output_price(profile)
    if profile.provider not in (None, *MULTI_KEY_PROVIDERS):
        refuse_multiple_api_keys(profile)
    return profile


def _require_input_and_output_price(profile: Profile) -> None:
    """Raise ConfigError for a price without one of the two that every answer needs."""
    for key in ("input", "output"):
        if profile.price is not None and key not in profile.price:
            raise ConfigError(
                f"price names no {key}", code="price", hint="price = { input = 0.15, output = 0.6 }"
            )


def refuse_multiple_api_keys(profile: Profile) -> None:
    """Reject a list of API keys: only MULTI_KEY_PROVIDERS can take turns among several keys.

    Raises:
        ConfigError: the profile has a list of keys.
    """
    for source in KEY_LIST_SETTINGS:
        if isinstance(getattr(profile, source), list):
            raise ConfigError(
                f"{source} is a list, but only {MULTI_KEY_PROVIDERS[0]} takes several keys",
                code=source,
                hint="keep one",
            )


def validate_setting(key: str, value: Any) -> Any:
    """Check a value of a profile's setting; returns what the profile stores.

    Raises:
        ConfigError: as `Setting.validate`.
    """
    return SETTINGS[key].validate(value)
