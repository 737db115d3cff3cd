"""`easyllm models`: what the profile's server offers."""

import asyncio
from typing import Annotated

import typer

from ..errors import EasyLLMError, FirstTokenTimeout, UsageError
from ..events import Model
from .options import Common, Run, Sampling, Target, options

Prefix = Annotated[
    str | None,
    typer.Argument(metavar="[PREFIX]", help="Only ids that begin with it.", show_default=False),
]


@options
def models(target: Target, common: Common, prefix: Prefix = None) -> int:
    """List what the profile's server offers: a table on a terminal, one id a line in a pipe.

    easyllm models -p openrouter anthropic/
    """
    from .outcome import Outcome, finish

    found: list[Model] = []
    error: EasyLLMError | None = None
    try:
        found = listed(target, common.timeout, prefix or "")
    except EasyLLMError as failure:
        error = failure
    if error is None and not common.json:
        show(found, common.color or "auto")
    outcome = Outcome(error=error, listing=True, models=found)
    return finish(outcome, json=common.json, jsonl=False, debug=common.debug)


def show(found: list[Model], color: str) -> None:
    """A table on a terminal, one id a line in a pipe."""
    from ..render import is_terminal
    from ..render.output import Stream

    if is_terminal(1):
        from ..render.table import print_models

        print_models(found, color)
    else:
        Stream(1, terminal=False).write("".join(f"{one.id}\n" for one in found))


def listed(target: Target, timeout: float | None, prefix: str) -> list[Model]:
    """The models whose id begins with the prefix.

    Raises:
        EasyLLMError: no profile, no answer. UsageError: none begins so.
    """
    from .profile import chosen

    profile, _ = chosen(target, Sampling(), Run())

    async def ask() -> list[Model]:
        from ..providers import provider_for

        provider = provider_for(profile)
        try:
            async with asyncio.timeout(timeout):
                return await provider.models()
        except TimeoutError:
            raise FirstTokenTimeout(
                f"no model list within --timeout {timeout:g}", where=provider.where
            ) from None
        except EasyLLMError as error:
            error.where = error.where or provider.where
            await provider.explain(error)
            raise
        finally:
            await provider.aclose()

    everything = asyncio.run(ask())
    found = [one for one in everything if one.id.startswith(prefix)]
    if prefix and not found:
        raise UsageError(
            f'no model begins with "{prefix}"', where=profile.name,
            hint=f"easyllm models -p {profile.name} lists all {len(everything)}",
        )  # fmt: skip
    return found
