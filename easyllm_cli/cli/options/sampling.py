"""Options for request parameters: sampling, limits, schema and reasoning."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

from ..option_types import EFFORT_CHOICES
from .groups import SAMPLING_PANEL, OptionGroup, declare


class SamplingOptions(OptionGroup):
    """Request parameters; only those set here or in the profile are sent."""

    temperature: Annotated[
        float | None,
        declare(
            SAMPLING_PANEL,
            "-t",
            "--temperature",
            help="Randomness, 0 (fixed) to 2.",
            min=0,
            max=2,
            metavar="T",
            short=True,
        ),
    ] = None
    max_tokens: Annotated[
        int | None,
        declare(
            SAMPLING_PANEL, "--max-tokens", help="Longest answer, in tokens.", min=1, metavar="N"
        ),
    ] = None
    top_p: Annotated[
        float | None,
        declare(SAMPLING_PANEL, "--top-p", help="Nucleus sampling.", min=0, max=1, metavar="P"),
    ] = None
    top_k: Annotated[
        int | None,
        declare(SAMPLING_PANEL, "--top-k", help="Sample from the K likeliest.", min=0, metavar="K"),
    ] = None
    seed: Annotated[
        int | None, declare(SAMPLING_PANEL, "--seed", help="Sampling seed.", metavar="N")
    ] = None
    stop: Annotated[
        list[str] | None,
        declare(
            SAMPLING_PANEL, "--stop", help="Text that ends the answer; repeatable.", metavar="TEXT"
        ),
    ] = None
    option: Annotated[
        list[str] | None,
        declare(
            SAMPLING_PANEL, "-o", "--option", help="Extra request field; JSON or text; repeatable.",
            metavar="KEY=VALUE",
        ),
    ] = None  # fmt: skip
    think: Annotated[
        bool, declare(SAMPLING_PANEL, "--think", help="Ask for reasoning.", short=True)
    ] = False
    effort: Annotated[
        str | None,
        declare(SAMPLING_PANEL, "--effort", help="Reasoning effort.", choices=EFFORT_CHOICES),
    ] = None
    schema: Annotated[
        str | None,
        declare(
            SAMPLING_PANEL,
            "--schema",
            help="JSON schema that the answer must fit.",
            metavar="FILE",
            short=True,
        ),
    ] = None
