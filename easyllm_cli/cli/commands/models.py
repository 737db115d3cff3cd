"""`easyllm models`: what the profile's server offers."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import EasyLLMError, UsageError
from ...events import Model
from ...secret import LONG, redact
from ..option_types import models as known
from ..options.groups import options
from ..options.input import Target
from ..options.output import Common
from ..options.run import Run
from ..options.sampling import Sampling

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...providers.base import BaseLLMProvider

PATIENT = 60.0  # seconds: a long list may take longer than a question beside an answer
Prefix = Annotated[
    str | None,
    typer.Argument(
        metavar="[PREFIX]", help="Only ids that begin with it.", show_default=False,
        autocompletion=known,
    ),
]  # fmt: skip


@options
def models(target: Target, common: Common, prefix: Prefix = None) -> int:
    """List what the profile's server offers: a table on a terminal, one id a line in a pipe.

    easyllm models -p openrouter anthropic/
    """
    from ...config.model_list_cache import remember
    from ..results import Outcome, finish

    everything: list[Model] = []
    found: list[Model] = []
    profile: Profile | None = None
    error: EasyLLMError | None = None
    try:
        profile, everything = listed(target, common)
        found = beginning(everything, prefix or "", profile)
    except EasyLLMError as failure:
        error = failure
    if error is None and not common.json:
        show(found, common.color or "auto")
    if profile is not None and profile.chosen_by == "-p":
        remember(profile.name, (one.id for one in everything))
    # Prices are in US dollars per million tokens.
    outcome = Outcome(error=error, listing={"models": [asdict(model) for model in found]})
    return finish(outcome, json=common.json, jsonl=False, debug=common.debug)


def show(found: list[Model], color: str) -> None:
    """A table on a terminal, one id a line in a pipe."""
    from ...render.options import is_terminal
    from ...render.output import Stream

    if is_terminal(1):
        from ...render.tables import print_models

        print_models(found, color)
    else:
        Stream(1, terminal=False).write("".join(f"{one.id}\n" for one in found))


def listed(target: Target, common: Common) -> tuple["Profile", list[Model]]:
    """The profile, and everything that its server offers.

    Raises:
        EasyLLMError: no profile, no answer.
    """
    from .. import runtime
    from ..profile_selection import chosen

    profile, _ = chosen(target, Sampling(), Run(), common.timeout)
    everything: list[Model] = []

    async def ask() -> None:
        from ...providers import provider_for

        provider = provider_for(profile)
        provider.look_seconds = common.timeout or PATIENT
        try:
            everything.extend(await offered(provider, common))
        except EasyLLMError as error:
            error.where = error.where or provider.where
            await provider.explain(error)
            raise
        finally:
            await provider.aclose()

    error = runtime.run(ask(), common.timeout, lambda: False)
    if error is not None:
        raise error
    return profile, everything


def beginning(everything: list[Model], prefix: str, profile: "Profile") -> list[Model]:
    """The models whose id begins with the prefix.

    Raises:
        UsageError: none begins so.
    """
    found = [one for one in everything if one.id.startswith(prefix)]
    if prefix and not found:
        raise UsageError(
            f'no model begins with "{prefix}"', where=profile.name,
            hint=f"easyllm models {profile.choice} lists all {len(everything)}",
        )  # fmt: skip
    return found


async def offered(provider: "BaseLLMProvider", common: Common) -> list[Model]:
    """Every model, with no more than its id where nothing more is shown; says what list it is."""
    from ...render.options import is_terminal
    from ...render.output import complain

    if common.json or is_terminal(1):
        found = await provider.models()
    else:
        found = [Model(name) for name in await provider.list_models()]
    # A server may give the key back as a name, which would be kept for completion; but "ollama"
    # and "lm-studio" are no keys, only what is typed where none is needed.
    found = [replace(model, id=redact(model.id, LONG)) for model in found]
    if provider.models_note and not common.quiet:
        complain(f"easyllm: {provider.models_note}")
    return found
