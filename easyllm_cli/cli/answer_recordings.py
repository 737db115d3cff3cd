"""One answer and its recordings: the options --cache, --record, --replay, and their variables."""

from __future__ import annotations

import os

from ..errors import UsageError
from .options.cache import CacheOptions

CACHE_VARIABLE, RECORD_VARIABLE, REPLAY_VARIABLE = (
    "EASYLLM_CACHE", "EASYLLM_RECORD", "EASYLLM_REPLAY",
)  # fmt: skip


def resolve_cache_options(options: CacheOptions) -> CacheOptions:
    """The options, each one that is not given from its variable.

    Raises:
        UsageError: something is to be recorded and replayed at once.
    """
    cache, record, replay = (
        os.environ.get(variable) or None if given is None else given
        for given, variable in (
            (options.cache, CACHE_VARIABLE),
            (options.record, RECORD_VARIABLE),
            (options.replay, REPLAY_VARIABLE),
        )
    )
    if record is not None and replay is not None:
        names = (
            "--record" if options.record is not None else RECORD_VARIABLE,
            "--replay" if options.replay is not None else REPLAY_VARIABLE,
        )
        raise UsageError(f"{' and '.join(names)} do not go together", hint="choose one")
    return CacheOptions(cache=cache, record=record, replay=replay)
