"""The one road from a command line to an answer: profile, messages, events, verdict, exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..images import Image
from ..render.options import DisplayOptions
from .options.input import InputOptions, ModelOptions
from .options.output import CommonOptions, OutputOptions
from .options.run import RunOptions
from .options.sampling import SamplingOptions
from .prompt import Stdin, read_text_file

if TYPE_CHECKING:
    from ..json_schema import Schema


@dataclass(eq=False, repr=False)
class AnswerRequest:
    """What a command hands to the road: its words, pictures and options."""

    prompt_words: list[str]
    model: ModelOptions
    input: InputOptions
    sampling: SamplingOptions
    output: OutputOptions
    common: CommonOptions
    run: RunOptions
    command: str = "chat"
    buffered: bool = True
    reasoning: str = "auto"
    elicit: str | None = None
    images: tuple[Image, ...] = ()
    stdin: Stdin | None = None


def may_offer_demo(request: AnswerRequest) -> bool:
    """Whether the demo model may be offered where nothing can answer: to a person who asks."""
    for_a_program = request.common.json or request.output.jsonl or request.run.dry_run
    return not (for_a_program or request.images or request.common.quiet)


def display_options(request: AnswerRequest) -> DisplayOptions:
    """The options of the group Show, checked against each other."""
    show, common = request.output, request.common
    if common.json and show.jsonl:
        raise UsageError("--json and --jsonl do not go together", hint="choose one")
    if show.reasoning and show.hide_reasoning and show.reasoning != "hide":
        raise UsageError("-R and --reasoning do not go together", hint="choose one")
    if show.code and show.jsonl:
        raise UsageError("-x and --jsonl do not go together", hint="use --json")
    if show.code and show.reasoning in ("only", "tags"):
        raise UsageError(f"-x and --reasoning {show.reasoning} do not go together")
    grows = request.run.stream is True or not request.buffered
    return DisplayOptions(
        buffered=not grows,
        reasoning="hide" if show.hide_reasoning else show.reasoning or request.reasoning,
        json=common.json, jsonl=show.jsonl, code=show.code,
        color=common.color or "auto", quiet=common.quiet, raw=show.raw,
    )  # fmt: skip


def load_schema(request: AnswerRequest, display: DisplayOptions) -> Schema | None:
    """What --schema names, looked at before anything is read or sent.

    Raises:
        UsageError: it does not go with another option, or is no schema.
    """
    name = request.sampling.schema
    if name is None:
        return None
    if display.code:
        raise UsageError("-x and --schema do not go together", hint="the answer is the JSON alone")
    if request.elicit == "always":
        raise UsageError("--elicit always and --schema do not go together", hint="choose one")
    from ..json_schema import Schema

    return Schema(read_json_object(name), name, strips_code_fence=display.buffered or display.json)


def read_json_object(name: str) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        UsageError: there is none.
    """
    from ..json_schema import format_json_error, parse_strict_json

    if name == "-":
        raise UsageError("--schema takes a file", hint="stdin is text for the prompt")
    text = read_text_file(name, "the schema")
    try:
        document = parse_strict_json(text)
    except RecursionError:
        raise UsageError("the schema is nested too deeply", where=name) from None
    except ValueError as error:
        raise UsageError(
            f"the schema is not JSON: {format_json_error(error)}", where=name
        ) from None
    if not isinstance(document, dict):
        raise UsageError("the schema is no JSON object", where=name, hint='{"type": "object", …}')
    if not isinstance(document.get("$schema", ""), str):  # jsonschema takes it for a URL
        raise UsageError('the schema is not valid: "$schema" is no text', where=name)
    return document
