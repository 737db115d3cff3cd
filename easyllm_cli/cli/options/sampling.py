"""How the model answers."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

from ..option_types import EFFORT
from .groups import HOW, declare


@dataclass(eq=False, repr=False)
class Sampling:
    """How the model answers; only what is named here or in the profile is sent."""

    temperature: Annotated[
        float | None,
        declare(
            HOW, "-t", "--temperature", says="How free the words are.", min=0, max=2, metavar="T"
        ),
    ] = None
    max_tokens: Annotated[
        int | None,
        declare(HOW, "--max-tokens", says="Longest answer, in tokens.", min=1, metavar="N"),
    ] = None
    top_p: Annotated[
        float | None, declare(HOW, "--top-p", says="Nucleus sampling.", min=0, max=1, metavar="P")
    ] = None
    top_k: Annotated[
        int | None, declare(HOW, "--top-k", says="Sample from the K likeliest.", min=0, metavar="K")
    ] = None
    seed: Annotated[
        int | None, declare(HOW, "--seed", says="Seed of the sampling.", metavar="N")
    ] = None
    stop: Annotated[
        list[str] | None,
        declare(HOW, "--stop", says="Text that ends the answer; repeatable.", metavar="TEXT"),
    ] = None
    option: Annotated[
        list[str] | None,
        declare(
            HOW, "-o", "--option", says="Sent as it is; JSON or text; repeatable.",
            metavar="KEY=VALUE",
        ),
    ] = None  # fmt: skip
    schema: Annotated[
        str | None,
        declare(HOW, "--schema", says="JSON schema that the answer must fit.", metavar="FILE"),
    ] = None
    think: Annotated[bool, declare(HOW, "--think", says="Ask for reasoning.")] = False
    effort: Annotated[
        str | None,
        declare(HOW, "--effort", says="How hard to think.", words=EFFORT),
    ] = None
