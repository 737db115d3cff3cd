"""`easyllm models`: lists the models that the profile's server offers."""

import time
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ConfigError, EasyLLMError, UsageError
from ...events import Model
from ...secret import LONG_KEY_CHARS, redact
from ..option_types import complete_models as known
from ..options.common import CommonOptions
from ..options.groups import expand_option_groups
from ..options.input import ModelOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...providers.base import BaseLLMProvider

FactSources = dict[str, str | None]  # the keys of --json that say where a fact is from
# Longer than for the model list that is requested next to an answer: a list may be long.
MODEL_LIST_TIMEOUT_SECONDS = 60.0
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WORD]...", help="Only ids that hold every WORD, in any case.",
        show_default=False, autocompletion=known,
    ),
]  # fmt: skip


@expand_option_groups
def models(model: ModelOptions, common: CommonOptions, words: Words = None) -> int:
    """List what the profile's server offers: a table on a terminal, one id a line in a pipe.

    easyllm models -p ollama
    easyllm models -p openrouter claude sonnet
    """
    from ...config.model_list_cache import save_model_ids
    from ..results import CommandResult, print_result

    everything: list[Model] = []
    selected: list[Model] = []
    profile: Profile | None = None
    error: EasyLLMError | None = None
    try:
        profile, everything = fetch_profile_models(model, common)
        selected = filter_by_words(everything, words or [], profile)
    except EasyLLMError as failure:
        error = failure
    sources: list[FactSources] = [{} for _ in selected]
    if profile is not None and shows_facts(common):
        selected, sources = add_table_facts(selected, profile, common.quiet)
    if error is None and not common.json:
        print_model_list(selected, common.color or "auto")
    if profile is not None and profile.selected_by == "-p":
        save_model_ids(profile.name, (each.id for each in everything))
        if shows_facts(common):
            save_facts(profile, everything)
    # Prices are in US dollars per million tokens.
    rows = [{**asdict(model), **source} for model, source in zip(selected, sources, strict=True)]
    result = CommandResult(error=error, listing={"models": rows})
    return print_result(result, json=common.json, jsonl=False, debug=common.debug)


def shows_facts(common: CommonOptions) -> bool:
    """Whether more than the ids is printed: with --json, and in a table."""
    from ...render.options import takes_layout

    return common.json or takes_layout(1, common.color or "auto")


def save_facts(profile: "Profile", all_models: list[Model]) -> None:
    """Save what the server said of its models, for automatic choices."""
    from ...config.endpoints import resolve_endpoint
    from ...config.model_list_cache import save_model_facts

    with suppress(ConfigError):  # a plugin has an endpoint of its own
        save_model_facts(profile.name, resolve_endpoint(profile).url, all_models)


def add_table_facts(
    all_models: list[Model], profile: "Profile", quiet: bool
) -> tuple[list[Model], list[FactSources]]:
    """The models with the price table's context and prices where the server names none.

    Also who says each of them: `server`, `table VERSION`, None = unknown.
    """
    from ...config.endpoints import is_loopback, resolve_endpoint
    from ..cost import refresh_price_table

    try:
        url: str | None = resolve_endpoint(profile).url
    except ConfigError:  # a plugin has an endpoint of its own
        url = None
    if url is not None and is_loopback(url):
        url = None  # the models are the user's own
    if url is not None:
        refresh_price_table(quiet)
    pairs = [add_facts(model, url) for model in all_models]
    return [model for model, _ in pairs], [sources for _, sources in pairs]


def add_facts(model: Model, url: str | None) -> tuple[Model, FactSources]:
    """As `add_table_facts` for one model; `url` None = not in the table."""
    from ...pricing.table import find_model_prices

    now = time.time()
    sources: FactSources = {
        "context_source": "server" if model.context is not None else None,
        "price_source": "server" if model.prompt_usd is not None else None,
    }
    is_known = model.context is not None and model.prompt_usd is not None
    row = None if url is None or is_known else find_model_prices(url, model.id)
    if row is None:
        return model, sources
    source = f"table {row.version}"
    if model.context is None and row.context is not None:
        model = replace(model, context=row.context)
        sources["context_source"] = source
    prompt_usd = row.dollars("input", now)
    if model.prompt_usd is None and prompt_usd is not None:
        completion_usd = row.dollars("output", now)
        model = replace(model, prompt_usd=prompt_usd, completion_usd=completion_usd)
        sources["price_source"] = source
    return model, sources


def print_model_list(model_list: list[Model], color: str) -> None:
    """Print a table on a terminal or with --color always, else one id per line."""
    from ...render.options import takes_layout
    from ...render.output import OutputStream

    if takes_layout(1, color):
        from ...render.tables import print_models

        print_models(model_list, color)
    else:
        OutputStream(1, terminal=False).write("".join(f"{model.id}\n" for model in model_list))


def fetch_profile_models(
    model: ModelOptions, common: CommonOptions
) -> tuple["Profile", list[Model]]:
    """The selected profile, and all models that its server offers.

    Raises:
        EasyLLMError: there is no such profile, or the request failed.
    """
    from .. import runtime
    from ..profile_selection import refuse_auto_profile, select_profile

    profile, _ = select_profile(model, SamplingOptions(), RunOptions(), common.timeout)
    refuse_auto_profile(profile, "models")
    everything: list[Model] = []

    async def fetch() -> None:
        from ...providers import provider_for
        from ...providers.plugin_errors import name_plugin_in_errors

        provider = provider_for(profile)
        # Longer than --timeout, which then ends the command with its own words.
        provider.metadata_timeout = (common.timeout or 0) + MODEL_LIST_TIMEOUT_SECONDS
        with name_plugin_in_errors(provider.entry_point):
            try:
                everything.extend(await fetch_models(provider, common))
            except EasyLLMError as error:
                error.where = error.where or provider.where
                await provider.add_hint(error)
                raise
            finally:
                await provider.aclose()

    error = runtime.run_cancellable(fetch(), common.timeout, lambda: False)
    if error is not None:
        raise error
    return profile, everything


def filter_by_words(all_models: list[Model], words: list[str], profile: "Profile") -> list[Model]:
    """The models whose id holds every word, anywhere and in any case.

    Raises:
        UsageError: there is none.
    """
    wanted = [word.casefold() for word in words]
    matches = [model for model in all_models if all(word in model.id.casefold() for word in wanted)]
    if words and not matches:
        from ...providers import provider_names

        hint = f"easyllm models {profile.cli_selector} lists all {len(all_models)}"
        if words[0] in provider_names():
            hint = f"easyllm models -p {words[0]} asks {words[0]}; {hint}"
        quoted = " and ".join(f'"{word}"' for word in words)
        raise UsageError(f"no model's name holds {quoted}", where=profile.name, hint=hint)
    return matches


async def fetch_models(provider: "BaseLLMProvider", common: CommonOptions) -> list[Model]:
    """All models, by id, or ids only if no more is shown; prints the provider's note on them."""
    from ...render.output import print_notice

    if shows_facts(common):
        model_list = await provider.models()
    else:
        model_list = [Model(name) for name in await provider.list_models()]
    # A server may return the key as a model's name, and completion would store it. Short keys are
    # not redacted: "ollama" and "lm-studio" are dummy keys for servers that need none.
    model_list = [replace(model, id=redact(model.id, LONG_KEY_CHARS)) for model in model_list]
    if provider.models_note and not common.quiet:
        print_notice(f"easyllm: {provider.models_note}")
    return sorted(model_list, key=lambda model: (model.id.casefold(), model.id))
