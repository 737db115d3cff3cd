"""The history's row of a batch run: its numbers, without any text."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..batch.progress import Progress
from ..config.profile import Profile
from ..errors import EasyLLMError
from ..events import TOKEN_COUNTS
from ..pipeline.call import new_call_id
from ..render.output import print_notice


def keep_batch(
    progress: Progress, profiles: Sequence[Profile], error: EasyLLMError | None, quiet: bool
) -> None:
    """Keep one row for the run; a history that cannot be written costs one warning."""
    from ..history.keeping import chosen_mode

    if not progress.done or chosen_mode(profiles) == "off":
        return
    from .. import history
    from ..history.record import Record, find_host, valid_count

    profile, usage = profiles[0], progress.usage
    row = {
        "id": new_call_id(),
        "started_at": time.time() - progress.seconds,
        "command": "batch",
        "calls": progress.done,
        "profile": profile.name or None,
        "provider": profile.provider,
        "model": profile.model,
        "host": find_host(profile),
        "complete": int(error is None),
        "exit_code": error.exit_code if error else 0,
        "error_kind": error.kind if error else None,
        **{name: valid_count(getattr(usage, name)) for name in TOKEN_COUNTS},
        "estimated": int(usage.estimated),
        "cost_usd": progress.cost_usd,
        "ms": round(progress.seconds * 1000),
        "attempts": max(1, progress.attempts),
    }
    try:
        history.save(Record(row), history.retention_seconds, shows_notes=False)
    except EasyLLMError as failure:
        if not quiet:
            print_notice(f"easyllm: the batch is not kept in the history: {failure}")
