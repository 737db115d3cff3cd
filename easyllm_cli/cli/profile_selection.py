"""Selects the profile and applies the command line's options to it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

from ..config.profile import Profile, validate_setting
from ..config.profiles_file import (
    NO_PROFILE_CODE,
    Profiles,
    profile_from_selector,
    read_profiles,
)
from ..config.settings import AUTO_PROVIDER
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
    """The profile and its fallback profiles, or an auto profile and its candidates.

    All have the command line's options, but for the auto profile.

    `timeout`: limit for the whole command in seconds; it also limits a database query.
    `offer_demo`: if no profile can be used, offer the demo model on a terminal.
    Raises:
        ConfigError: a profile does not exist or is wrong.
        UsageError: -o is not KEY=VALUE, or two options exclude each other.
    """
    retain_secrets()
    if model.config_db is not None or model.config_id is not None:
        from .database_profile import profile_from_row

        budget = read_profiles(model.profiles).settings.budget
        row = profile_from_row(model, timeout)
        row = row.replace_set(model=model.model, total_budget=budget)
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
    others = _find_others(profile, profiles)
    is_auto = profile.provider == AUTO_PROVIDER
    return profile if is_auto else with_options(profile, sampling, run), [
        with_options(each, sampling, run) for each in others
    ]


def refuse_auto_profile(profile: Profile, command: str) -> None:
    """Raise UsageError for an auto profile, in a command that asks the profile that is named."""
    if profile.provider == AUTO_PROVIDER:
        from ..config.auto_profile import candidate_names

        names = candidate_names(profile)
        raise UsageError(
            f"{command} takes no auto profile, and {profile.name} only chooses among others",
            hint=f"name one of its candidates: {', '.join(f'-p {name}' for name in names)}",
        )


def _find_others(profile: Profile, profiles: Profiles) -> list[Profile]:
    """The fallbacks of a profile, or the candidates of an auto profile. Raises ConfigError."""
    if profile.provider != AUTO_PROVIDER:
        return profiles.resolve_fallbacks(profile)
    from ..config.auto_profile import find_candidates

    return find_candidates(profile, profiles)


def with_options(profile: Profile, sampling: SamplingOptions, run: RunOptions) -> Profile:
    """The profile with the options of one call; an option overrides the file."""
    extra_options = parse_options(sampling.option or [])
    if sampling.think and sampling.effort is None and profile.reasoning == "off":
        profile = replace(profile, reasoning=None)  # --think overrides it
    return profile.replace_set(
        temperature=validate_setting("temperature", sampling.temperature),
        max_tokens=sampling.max_tokens,
        top_p=validate_setting("top_p", sampling.top_p),
        top_k=sampling.top_k,
        seed=sampling.seed,
        stop=sampling.stop or None,
        reasoning=sampling.effort,
        think=sampling.think or None,
        options={**(profile.options or {}), **extra_options} if extra_options else None,
        strict=run.strict or None,
        max_retries=0 if run.no_retry else None,
    )


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """Parse `-o KEY=VALUE` pairs; a value is JSON if it can be parsed, else text.

    Raises:
        UsageError: a pair has no `=` or no key.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f'-o "{pair}" has no value', hint="-o KEY=VALUE")
        try:
            options[key] = json.loads(value, parse_constant=str)  # NaN is not JSON: text
        except (ValueError, RecursionError):
            options[key] = value
    validate_setting("options", options)  # 1e999 is infinite: not JSON
    return options
