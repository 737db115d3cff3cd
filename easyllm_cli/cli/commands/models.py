"""`easyllm models`: what the profile's server offers."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import EasyLLMError, UsageError
from ...events import Model
from ...secret import LONG_KEY_CHARS, redact
from ..option_types import complete_models as known
from ..options.groups import expand_option_groups
from ..options.input import ModelOptions
from ..options.output import CommonOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...providers.base import BaseLLMProvider

MODEL_LIST_TIMEOUT_SECONDS = (
    60.0  # seconds: a long list may take longer than a question beside an answer
)
Prefix = Annotated[
    str | None,
    typer.Argument(
        metavar="[PREFIX]", help="Only ids that begin with it.", show_default=False,
        autocompletion=known,
    ),
]  # fmt: skip


@expand_option_groups
def models(model: ModelOptions, common: CommonOptions, prefix: Prefix = None) -> int:
    """List what the profile's server offers: a table on a terminal, one id a line in a pipe.

    easyllm models -p openrouter anthropic/
    """
    from ...config.model_list_cache import save_model_ids
    from ..results import CommandResult, print_result

    everything: list[Model] = []
    found: list[Model] = []
    profile: Profile | None = None
    error: EasyLLMError | None = None
    try:
        profile, everything = fetch_profile_models(model, common)
        found = filter_by_prefix(everything, prefix or "", profile)
    except EasyLLMError as failure:
        error = failure
    if error is None and not common.json:
        print_model_list(found, common.color or "auto")
    if profile is not None and profile.selected_by == "-p":
        save_model_ids(profile.name, (one.id for one in everything))
    # Prices are in US dollars per million tokens.
    outcome = CommandResult(error=error, listing={"models": [asdict(model) for model in found]})
    return print_result(outcome, json=common.json, jsonl=False, debug=common.debug)


def print_model_list(model_list: list[Model], color: str) -> None:
    """A table on a terminal, one id a line in a pipe."""
    from ...render.options import is_terminal
    from ...render.output import OutputStream

    if is_terminal(1):
        from ...render.tables import print_models

        print_models(model_list, color)
    else:
        OutputStream(1, terminal=False).write("".join(f"{one.id}\n" for one in model_list))


def fetch_profile_models(
    model: ModelOptions, common: CommonOptions
) -> tuple["Profile", list[Model]]:
    """The profile, and everything that its server offers.

    Raises:
        EasyLLMError: no profile, no answer.
    """
    from .. import runtime
    from ..profile_selection import select_profile

    profile, _ = select_profile(model, SamplingOptions(), RunOptions(), common.timeout)
    everything: list[Model] = []

    async def ask() -> None:
        from ...providers import provider_for

        provider = provider_for(profile)
        provider.metadata_timeout = common.timeout or MODEL_LIST_TIMEOUT_SECONDS
        try:
            everything.extend(await fetch_models(provider, common))
        except EasyLLMError as error:
            error.where = error.where or provider.where
            await provider.add_hint(error)
            raise
        finally:
            await provider.aclose()

    error = runtime.run_cancellable(ask(), common.timeout, lambda: False)
    if error is not None:
        raise error
    return profile, everything


def filter_by_prefix(all_models: list[Model], prefix: str, profile: "Profile") -> list[Model]:
    """The models whose id begins with the prefix.

    Raises:
        UsageError: none begins so.
    """
    found = [one for one in all_models if one.id.startswith(prefix)]
    if prefix and not found:
        raise UsageError(
            f'no model begins with "{prefix}"', where=profile.name,
            hint=f"easyllm models {profile.cli_selector} lists all {len(all_models)}",
        )  # fmt: skip
    return found


async def fetch_models(provider: "BaseLLMProvider", common: CommonOptions) -> list[Model]:
    """Every model, with no more than its id where nothing more is shown; says what list it is."""
    from ...render.options import is_terminal
    from ...render.output import print_notice

    if common.json or is_terminal(1):
        found = await provider.models()
    else:
        found = [Model(name) for name in await provider.list_models()]
    # A server may give the key back as a name, which would be kept for completion; but "ollama"
    # and "lm-studio" are no keys, only what is typed where none is needed.
    found = [replace(model, id=redact(model.id, LONG_KEY_CHARS)) for model in found]
    if provider.models_note and not common.quiet:
        print_notice(f"easyllm: {provider.models_note}")
    return found
