"""Options of `easyllm compare`: its profiles, their model, and how often each is asked."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

from ..option_types import complete_models_of_all, complete_profiles
from .groups import MODEL_PANEL, RUN_PANEL, OptionGroup, declare
from .history import HistoryMode

MAX_ROUNDS = 100


class ComparisonOptions(OptionGroup):
    """Which profiles are compared, how often each is asked, and what is kept of the answers."""

    selectors: Annotated[
        list[str] | None,
        declare(
            MODEL_PANEL, "-p", "--profile", help="Profile, or NAME:MODEL; two or more.",
            metavar="NAME", short=True, autocompletion=complete_profiles,
        ),
    ] = None  # fmt: skip
    shared_model: Annotated[
        str | None,
        declare(
            MODEL_PANEL, "-m", "--model", help="Model name, for every profile.", metavar="MODEL",
            short=True, autocompletion=complete_models_of_all,
        ),
    ] = None  # fmt: skip
    profiles: Annotated[
        str | None, declare(MODEL_PANEL, "--profiles", help="Profiles file.", metavar="FILE")
    ] = None
    rounds: Annotated[
        int,
        declare(
            RUN_PANEL, "-r", "--repeat", help="Ask N times; the figures are medians.",
            min=1, max=MAX_ROUNDS, metavar="N", short=True,
        ),
    ] = 1  # fmt: skip
    history: HistoryMode = None
