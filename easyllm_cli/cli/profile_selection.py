"""The profile to use, with what the command line changes about it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

from ..config.profile import Profile, validate_setting
from ..config.profiles_file import NO_PROFILE_CODE, Profiles, profile_from_selector, read_profiles
from ..errors import ConfigError, UsageError
from ..secret import retain_secrets
from .options.input import ModelOptions
from .options.run import RunOptions
from .options.sampling import SamplingOptions


def select_profile(
    model: ModelOptions,
    sampling: SamplingOptions,
    run: RunOptions,
    timeout: float | None,
    offer_demo: bool = False,
) -> tuple[Profile, list[Profile]]:
    """The profile and those it falls back to, all with the command line's options.

    `timeout`: seconds for the whole command, which bound a database's answer. `offers`: where
    nothing can answer, the demo model may be offered on a terminal.
    Raises:
        ConfigError: a profile does not exist or is wrong. UsageError: -o is no KEY=VALUE, or
            options that do not go together.
    """
    retain_secrets()
    if model.config_db is not None or model.config_id is not None:
        from .database_profile import profile_from_row

        row = profile_from_row(model, timeout).replace_set(model=model.model)
        return with_options(row, sampling, run), []
    profiles = read_profiles(model.profiles)
    try:
        profile = profile_from_selector(profiles, model.profile, model.model)
    except ConfigError as error:
        if error.code != NO_PROFILE_CODE:
            raise
        from .default_profile import default_profile

        model_name = model.model or os.environ.get("EASYLLM_MODEL") or None
        profile = default_profile(error, profiles, model_name, offer_demo)
    fallbacks = [_fallback(profiles, name) for name in profile.fallback or []]
    return with_options(profile, sampling, run), [
        with_options(one, sampling, run) for one in fallbacks
    ]


def _fallback(profiles: Profiles, selector: str) -> Profile:
    name, _, model = selector.partition(":")
    return profiles.resolve_profile(name).replace_set(model=model or None)


def with_options(profile: Profile, sampling: SamplingOptions, run: RunOptions) -> Profile:
    """The profile with the options of one call laid over it: a flag wins over the file."""
    given = parse_options(sampling.option or [])
    if sampling.think and sampling.effort is None and profile.reasoning == "off":
        profile = replace(profile, reasoning=None)  # a flag wins over the file
    return profile.replace_set(
        temperature=validate_setting("temperature", sampling.temperature),
        max_tokens=sampling.max_tokens,
        top_p=validate_setting("top_p", sampling.top_p),
        top_k=sampling.top_k,
        seed=sampling.seed,
        stop=sampling.stop or None,
        reasoning=sampling.effort,
        think=sampling.think or None,
        options={**(profile.options or {}), **given} if given else None,
        strict=run.strict or None,
        max_retries=0 if run.no_retry else None,
    )


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """`-o KEY=VALUE`: the value as JSON, else as text.

    Raises:
        UsageError: there is no `=` or no key.
    """
    made: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f'-o "{pair}" has no value', hint="-o KEY=VALUE")
        try:
            made[key] = json.loads(value, parse_constant=str)  # NaN is no JSON: text
        except (ValueError, RecursionError):
            made[key] = value
    validate_setting("options", made)  # 1e999 is infinite, which is no JSON
    return made
