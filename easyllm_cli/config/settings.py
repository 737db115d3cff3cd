"""The settings: each key of a profile and of the profiles file's top level is declared here once.

The checks, docs/profiles.md, `easyllm help profiles`, shell completion and the hints of errors use
these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError, suggest_name
from ..frozen_dataclass import FrozenDataclass
from ..secret import Secret
from .setting_values import (
    OPENAI_ADAPTERS,
    DeclaredSettings,
    check_cache_time,
    check_duration,
    check_header_table,
    check_header_value,
    check_json_table,
    convert_form_numbers,
    convert_form_value,
    expand_path,
    has_type,
    hide_keys,
    is_beyond_float_range,
    is_dollar_amount,
    setting,
)


class Timeout(FrozenDataclass):
    """Timeouts in seconds; total None = no limit when streaming, 600 when buffered."""

    connect: float = 10.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float | None = None


RPM_FROM_SERVER = "auto"  # the value of `rpm` that takes the limit from the server's headers
TIMEOUT_KEYS = tuple(Timeout.__annotations__)


def timeout_from_table(name: str, value: Any) -> Timeout:
    """Build a Timeout from the `timeout` table.

    Raises:
        ConfigError: unknown key, or a value that is not a positive number.
    """
    if isinstance(value, Timeout):
        return value
    if not isinstance(value, Mapping):
        hint = "timeout = { first_token = 60 }"
        raise ConfigError(f"{name} must be a table", code=name, hint=hint)
    for key, seconds in value.items():
        if key not in TIMEOUT_KEYS:
            raise ConfigError(
                f'unknown key "{key}" in {name}', code=key, hint=suggest_name(key, TIMEOUT_KEYS)
            )
        if not has_type(seconds, "float") or not seconds > 0 or is_beyond_float_range(seconds):
            raise ConfigError(f"{name}.{key} must be a number of seconds above 0", code=key)
    return Timeout(**value)


def timeout_from_form(value: Any) -> Any:
    """Convert a config dict's `timeout` to a table; a single number is the total in seconds."""
    if isinstance(value, Mapping):
        return convert_form_numbers(value)
    number = convert_form_value(value, "float")
    return {"total": number} if has_type(number, "float") else number


PRICE_KEYS = ("input", "output", "cached", "cache_write")  # the last two: if missing, as input
BUDGET_KEYS = ("day", "month")
DOLLAR_TABLES = {"price": PRICE_KEYS, "budget": BUDGET_KEYS}


def check_dollar_table(name: str, table: dict[str, float]) -> dict[str, float]:
    """Check the keys and amounts of a table of US dollars: the setting `price` or `budget`.

    Raises:
        ConfigError: an unknown key, or an amount below 0 or not finite.
    """
    for key, dollars in table.items():
        if key not in DOLLAR_TABLES[name]:
            hint = suggest_name(key, DOLLAR_TABLES[name])
            raise ConfigError(f'unknown key "{key}" in {name}', code=key, hint=hint)
        if not is_dollar_amount(dollars):
            raise ConfigError(f"{name}.{key} must be a number of US dollars, at least 0", code=key)
    return table


HISTORY_MODES = ("full", "metadata", "off")


# The providers' names for the maximum number of tokens in the answer.
OUTPUT_LIMIT_KEYS = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "num_predict",
    "n_predict",
    "maxOutputTokens",
)


def check_rpm(name: str, value: int | str) -> int | str:
    """Check a rate of requests. Raises ConfigError for a number below 1 or another word."""
    if value == RPM_FROM_SERVER:
        return value
    if isinstance(value, str) or value < 1 or is_beyond_float_range(value):
        raise ConfigError(
            f'{name} must be a whole number of at least 1, or "{RPM_FROM_SERVER}"', code=name
        )
    return value


AUTO_PROVIDER = "auto"  # the `provider` of a profile that chooses among others: routing/
# The tasks that a prompt may be, for the keys of `strong`; `chat` is what is none of the others.
TASKS = ("code", "math", "translate", "summarize", "extract", "write", "chat")
# The failed checks of an answer after which an automatic choice asks the next candidate.
ANSWER_CHECKS = ("incomplete", "schema", "code", "refused")


def check_strong(name: str, table: dict[str, str]) -> dict[str, str]:
    """Check the tasks of a table of candidates by task. Raises ConfigError for another task."""
    for task in table:
        if task not in TASKS:
            raise ConfigError(
                f'unknown task "{task}" in {name}', code=task, hint=suggest_name(task, TASKS)
            )
    return table


def check_answer_checks(name: str, checks: list[str]) -> list[str]:
    """Check the words of `escalate`. Raises ConfigError for another word."""
    for check in checks:
        if check not in ANSWER_CHECKS:
            hint = suggest_name(check, ANSWER_CHECKS)
            raise ConfigError(f'unknown check "{check}" in {name}', code=name, hint=hint)
    return checks


class ProfileSettings(DeclaredSettings):
    """The settings of a profile, in the order of docs/profiles.md. None = not set."""

    name: str = ""  # the profile's own name is no setting
    provider: str | None = setting(
        "provider name, built in or from a plugin", refers_to="providers"
    )
    endpoint: str | None = setting("base URL (also: base_url)", alias="base_url")
    model: str | None = setting("model name")
    extends: str | None = setting(
        "a built-in name or another profile to start from",
        refers_to="profiles", is_trusted_only=True, affects_answer=False,
    )  # fmt: skip
    system: str | None = setting("system prompt", keeps_whitespace=True, affects_answer=False)
    api: str | None = setting(
        "protocol, of vendors that speak several",
        choices=("chat", "responses", "anthropic"), adapters=(*OPENAI_ADAPTERS, "anthropic"),
    )  # fmt: skip
    transport: str = setting(
        "what sends the requests",
        choices=("http", "aiohttp", "sdk"),
        default="http",
    )
    api_key_env: str | list[str] | None = setting(
        "the variable with the key (litellm: or several)",
        is_key_source=True, is_trusted_only=True, key_lists_for=("litellm",),
    )  # fmt: skip
    api_key_cmd: str | list[str] | None = setting(
        "a command that prints the key",
        is_key_source=True, is_trusted_only=True, needs_private_file=True,
    )  # fmt: skip
    api_key_file: str | None = setting(
        "a file that holds the key, mode 0600",
        is_key_source=True, is_trusted_only=True, convert=expand_path,
    )  # fmt: skip
    keyring: str | None = setting(
        "the key's name in the system keyring", is_key_source=True, is_trusted_only=True
    )
    api_key: Secret | list[Secret] | None = setting(
        "the key itself (litellm: or several); needs a file of mode 0600",
        is_key_source=True, needs_private_file=True, key_lists_for=("litellm",), convert=hide_keys,
    )  # fmt: skip
    headers: dict[str, str] | None = setting(
        "extra headers; a value may be env:NAME", convert=check_header_table, affects_answer=False
    )
    ca_bundle: str | None = setting(
        "PEM file of trusted certificate authorities",
        is_trusted_only=True, affects_answer=False, convert=expand_path,
    )  # fmt: skip
    proxy: str | None = setting(
        'proxy URL; "" uses none', is_trusted_only=True, keeps_empty=True, affects_answer=False
    )
    allow_http: bool = setting(
        "allow a key over http:// to other machines", default=False, affects_answer=False
    )
    organization: str | None = setting(
        "OpenAI organization",
        adapters=OPENAI_ADAPTERS, affects_answer=False, convert=check_header_value,
    )  # fmt: skip
    project: str | None = setting(
        "OpenAI project",
        adapters=OPENAI_ADAPTERS, affects_answer=False, convert=check_header_value,
    )  # fmt: skip
    temperature: float | None = setting(
        "sampling temperature", minimum=0, maximum=2, is_sampling=True, sent_default=0.7
    )
    max_tokens: int | None = setting(
        "longest answer, in tokens", minimum=1, is_sampling=True, sent_default=8192
    )
    top_p: float | None = setting(
        "nucleus sampling", minimum=0, maximum=1, is_sampling=True, sent_default=0.9
    )
    top_k: int | None = setting("sample from the k likeliest tokens", minimum=0, is_sampling=True)
    seed: int | None = setting("sampling seed", is_sampling=True)
    stop: str | list[str] | None = setting(
        "text that ends the answer", is_sampling=True, keeps_whitespace=True
    )
    reasoning: str | None = setting(
        "reasoning effort", choices=("off", "minimal", "low", "medium", "high", "max")
    )
    reasoning_tags: str = setting(
        "reasoning tags inside the answer text",
        choices=("auto", "implicit", "off"), default="auto", affects_answer=False,
    )  # fmt: skip
    max_retries: int = setting(
        "retries after the first try", minimum=0, maximum=100, default=3, affects_answer=False
    )
    initial_retry_delay: float = setting(
        "wait before the first retry, seconds", minimum=0, default=1.0, affects_answer=False
    )
    max_retry_delay: float = setting(
        "longest wait before a retry, seconds", minimum=0, default=60.0, affects_answer=False
    )
    retry_multiplier: float = setting(
        "factor from one wait to the next", minimum=1, default=2.0, affects_answer=False
    )
    retry_budget: float = setting(
        "limit of all waits together, seconds", minimum=0, default=120.0, affects_answer=False
    )
    timeout: Timeout = setting(
        f"table: {', '.join(TIMEOUT_KEYS)} (seconds)",
        default=Timeout(), subkeys=TIMEOUT_KEYS, subkey_description="seconds",
        convert=timeout_from_table, convert_form=timeout_from_form, affects_answer=False,
    )  # fmt: skip
    fallback: list[str] | None = setting(
        "profiles to try when this one fails",
        refers_to="profiles", is_trusted_only=True, affects_answer=False,
    )  # fmt: skip
    fallback_models: list[str] | None = setting(
        "models the provider itself may fall back to", adapters=("openrouter", "litellm")
    )
    num_ctx: int | None = setting("context in tokens", minimum=1, adapters=("ollama", "local"))
    keep_alive: str | int | float | None = setting(
        "how long the model stays loaded", adapters=("ollama",), affects_answer=False
    )
    mmproj: str | None = setting(
        "vision projector file (GGUF)",
        adapters=("local",), is_trusted_only=True, convert=expand_path,
    )  # fmt: skip
    send_defaults: bool = setting("send temperature 0.7, max_tokens 8192, top_p 0.9", default=False)
    strict: bool = setting(
        "an answer cut by your own limit is an error, too", default=False, affects_answer=False
    )
    price: dict[str, float] | None = setting(
        f"table: {', '.join(PRICE_KEYS)} (US dollars per million tokens)",
        subkeys=PRICE_KEYS, subkey_description="US dollars per million tokens",
        convert=check_dollar_table, convert_form=convert_form_numbers, affects_answer=False,
    )  # fmt: skip
    history: str | None = setting(
        "what is kept of answers: all, only numbers, or nothing",
        choices=HISTORY_MODES, affects_answer=False,
    )  # fmt: skip
    cache: str | None = setting(
        "how long answers are kept and used again, e.g. 24h; off",
        is_trusted_only=True, convert=check_cache_time, affects_answer=False,
    )  # fmt: skip
    budget: dict[str, float] | None = setting(
        f"table: {', '.join(BUDGET_KEYS)} (US dollars that this profile may cost)",
        subkeys=BUDGET_KEYS, subkey_description="US dollars", is_trusted_only=True,
        convert=check_dollar_table, convert_form=convert_form_numbers, affects_answer=False,
    )  # fmt: skip
    rpm: int | str | None = setting(
        'requests a minute, of all processes; "auto": as the server reports',
        affects_answer=False, convert=check_rpm,
    )  # fmt: skip
    tpm: int | None = setting("tokens a minute, of all processes", minimum=1, affects_answer=False)
    concurrency: int | None = setting(
        "requests at once, of all processes", minimum=1, maximum=1000, affects_answer=False
    )
    candidates: list[str] | None = setting(
        "profiles to choose from, in the order of preference",
        refers_to="profiles", is_trusted_only=True, adapters=(AUTO_PROVIDER,),
        affects_answer=False,
    )  # fmt: skip
    prefer: str | None = setting(
        "which candidate is asked first, default order",
        choices=("order", "cheap", "fast"), adapters=(AUTO_PROVIDER,), affects_answer=False,
    )  # fmt: skip
    strong: dict[str, str] | None = setting(
        "table: the candidate for a task",
        subkeys=TASKS, subkey_description="a candidate", adapters=(AUTO_PROVIDER,),
        affects_answer=False, convert=check_strong,
    )  # fmt: skip
    escalate: list[str] | None = setting(
        f"failed checks that ask the next candidate, default incomplete: "
        f"{', '.join(ANSWER_CHECKS)}",
        adapters=(AUTO_PROVIDER,), affects_answer=False, convert=check_answer_checks,
    )  # fmt: skip
    options: dict[str, Any] | None = setting(
        "table of extra request fields, sent unchanged", convert=check_json_table
    )


SETTINGS = ProfileSettings.declarations
SETTING_ALIASES = {each.alias: name for name, each in SETTINGS.items() if each.alias}
KEY_SOURCES = tuple(name for name, each in SETTINGS.items() if each.is_key_source)
KEY_LIST_SETTINGS = tuple(name for name, each in SETTINGS.items() if each.key_lists_for)
MULTI_KEY_PROVIDERS = SETTINGS["api_key"].key_lists_for
TRUSTED_ONLY_SETTINGS = tuple(name for name, each in SETTINGS.items() if each.is_trusted_only)
PRIVATE_FILE_SETTINGS = tuple(name for name, each in SETTINGS.items() if each.needs_private_file)
SAMPLING_SETTINGS = tuple(name for name, each in SETTINGS.items() if each.is_sampling)
# Sampling defaults of `send_defaults`. They are dropped where a model does not accept them.
DEFAULT_SAMPLING = {
    name: each.sent_default for name, each in SETTINGS.items() if each.sent_default is not None
}


class FileSettings(DeclaredSettings):
    """The settings at the top level of the profiles file, beside the tables of the profiles."""

    default_profile: str = setting(
        "the profile without -p: NAME or NAME:MODEL", refers_to="profiles", default=""
    )
    history: str | None = setting(
        "history of the profiles that do not set it", choices=HISTORY_MODES
    )
    budget: dict[str, float] | None = setting(
        f"table: {', '.join(BUDGET_KEYS)} (US dollars that all profiles may cost)",
        subkeys=BUDGET_KEYS, subkey_description="US dollars", convert=check_dollar_table,
    )  # fmt: skip
    history_keep: str | None = setting(
        "older answers are deleted, e.g. 180d", convert=check_duration
    )


TOP_LEVEL_SETTINGS = FileSettings.declarations


def resolve_setting_alias(key: str) -> str:
    """Return a setting's real name: `base_url` is an alias of `endpoint`."""
    return SETTING_ALIASES.get(key, key)


def settings_without_effect(adapter: str) -> list[str]:
    """The settings that an adapter of providers.ADAPTERS does not support."""
    return [
        name for name, each in SETTINGS.items() if each.adapters and adapter not in each.adapters
    ]
