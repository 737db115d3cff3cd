"""Which options and settings go with `batch --via api`."""

from __future__ import annotations

from ..config.profile import Profile
from ..errors import UsageError
from ..providers import provider_for
from ..providers.batch_apis import batch_api_for
from .options.batch import BatchOptions

LIVE_OPTIONS = {"concurrency": "--concurrency", "rpm": "--rpm", "cache": "--cache"}


def require_usable_options(options: BatchOptions, profile: Profile) -> None:
    """Raise UsageError for options and settings that mean nothing to a batch API."""
    for name, option in LIVE_OPTIONS.items():
        if getattr(options, name) is not None:
            raise UsageError(f"{option} does not go with --via api", hint="leave one of them out")
    if profile.has_budget:
        raise UsageError(
            "--via api does not count for the setting budget", where=f"profile {profile.name}",
            hint="use --max-cost with a profile that has no budget",
        )  # fmt: skip
    batch_api_for(provider_for(profile))


def without_limits(profile: Profile) -> Profile:
    """The profile without what is about single requests."""
    return profile.__replace__(rpm=None, tpm=None, concurrency=None, cache=None)
