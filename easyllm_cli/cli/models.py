"""`easyllm models`: what the profile's server offers."""

import asyncio
from typing import Annotated

import typer

from ..errors import EasyLLMError, FirstTokenTimeout, UsageError
from ..events import Model
from .options import Common, Run, Sampling, Target, options

Prefix = Annotated[str | None, typer.Argument(metavar="[PREFIX]", show_default=False)]


@options
def models(target: Target, common: Common, prefix: Prefix = None) -> int:
    """List what the profile's server offers: a table on a terminal, one id a line in a pipe.

    easyllm models -p openrouter anthropic/
    """
    from ..render.output import Stream, complain
    from .outcome import complain_lines

    found: list[Model] = []
    error: EasyLLMError | None = None
    try:
        found = listed(target, common.timeout, prefix or "")
    except EasyLLMError as failure:
        error = failure
    if common.json:
        from ..render.json import models_object, print_object

        print_object(models_object(found, error))
    elif error is None:
        from ..render import is_terminal

        if is_terminal(1):
            from ..render.table import print_models

            print_models(found, common.color or "auto")
        else:
            Stream(1, terminal=False).write("".join(f"{one.id}\n" for one in found))
    if error is None:
        return 0
    if common.debug:
        complain_lines(error)
    complain(f"easyllm: {error}")
    return error.exit_code


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
