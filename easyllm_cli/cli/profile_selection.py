"""The profile to use, with what the command line changes about it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

from ..config.profile import Profile, checked
from ..config.profiles_file import NONE_NAMED, Profiles, choose, read_profiles
from ..errors import ConfigError, UsageError
from ..secret import keep_for_good
from .options.input import Target
from .options.run import Run
from .options.sampling import Sampling


def chosen(
    target: Target,
    sampling: Sampling,
    run: Run,
    timeout: float | None,
    offers: bool = False,
) -> tuple[Profile, list[Profile]]:
    """The profile and those it falls back to, all with the command line's options.

    `timeout`: seconds for the whole command, which bound a database's answer. `offers`: where
    nothing can answer, the demo model may be offered on a terminal.
    Raises:
        ConfigError: a profile does not exist or is wrong. UsageError: -o is no KEY=VALUE, or
            options that do not go together.
    """
    keep_for_good()
    if target.config_db is not None or target.config_id is not None:
        from .database_profile import row_of

        row = row_of(target, timeout).with_(model=target.model)
        return changed(row, sampling, run), []
    profiles = read_profiles(target.profiles)
    try:
        profile = choose(profiles, target.profile, target.model)
    except ConfigError as error:
        if error.code != NONE_NAMED:
            raise
        from .default_profile import embedded_or

        model = target.model or os.environ.get("EASYLLM_MODEL") or None
        profile = embedded_or(error, profiles, model, offers)
    fallbacks = [_fallback(profiles, name) for name in profile.fallback or []]
    return changed(profile, sampling, run), [changed(one, sampling, run) for one in fallbacks]


def _fallback(profiles: Profiles, named: str) -> Profile:
    name, _, model = named.partition(":")
    return profiles.named(name).with_(model=model or None)


def changed(profile: Profile, sampling: Sampling, run: Run) -> Profile:
    """The profile with the options of one call laid over it: a flag wins over the file."""
    given = options_of(sampling.option or [])
    if sampling.think and sampling.effort is None and profile.reasoning == "off":
        profile = replace(profile, reasoning=None)  # a flag wins over the file
    return profile.with_(
        temperature=checked("temperature", sampling.temperature),
        max_tokens=sampling.max_tokens,
        top_p=checked("top_p", sampling.top_p),
        top_k=sampling.top_k,
        seed=sampling.seed,
        stop=sampling.stop or None,
        reasoning=sampling.effort,
        think=sampling.think or None,
        options={**(profile.options or {}), **given} if given else None,
        strict=run.strict or None,
        max_retries=0 if run.no_retry else None,
    )


def options_of(pairs: list[str]) -> dict[str, Any]:
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
    checked("options", made)  # 1e999 is infinite, which is no JSON
    return made
