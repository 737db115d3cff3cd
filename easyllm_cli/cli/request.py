"""A command's prompt, images and options; refuses conflicting options, reads the --schema file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..frozen_dataclass import FrozenDataclass
from ..images import Image
from ..render.options import DisplayOptions
from .options.budget import BudgetOptions
from .options.cache import CacheOptions
from .options.common import CommonOptions
from .options.history import HistoryOptions
from .options.input import InputOptions, ModelOptions
from .options.output import OutputOptions
from .options.run import RunOptions
from .options.sampling import SamplingOptions
from .options.template import TemplateOptions
from .prompt_text import read_text_file
from .stdin import Stdin

if TYPE_CHECKING:
    from ..choices import Choices
    from ..json_schema import Schema
    from .turn import Turn


class AnswerRequest(FrozenDataclass):
    """A command's prompt words, images and options; in a repl the turn that is asked."""

    prompt_words: list[str]
    model: ModelOptions
    input: InputOptions
    sampling: SamplingOptions
    output: OutputOptions
    common: CommonOptions
    run: RunOptions
    history: HistoryOptions
    cache: CacheOptions
    budget: BudgetOptions
    template: TemplateOptions
    choices: str | None = None
    command: str = "chat"
    buffered: bool = True
    reasoning: str = "auto"
    elicit: str | None = None
    images: tuple[Image, ...] = ()
    stdin: Stdin | None = None
    turn: Turn | None = None


def may_offer_demo(request: AnswerRequest) -> bool:
    """Whether the demo model may be offered: not with JSON output, --dry-run, images or -q."""
    is_scripted = request.common.json or request.output.jsonl or request.run.dry_run
    return not (is_scripted or request.images or request.common.quiet)


def display_options(request: AnswerRequest) -> DisplayOptions:
    """The display options, checked against each other.

    Raises:
        UsageError: two options exclude each other.
    """
    output, common = request.output, request.common
    if common.json and output.jsonl:
        raise UsageError("--json and --jsonl do not go together", hint="choose one")
    if output.reasoning and output.hide_reasoning and output.reasoning != "hide":
        raise UsageError("-R and --reasoning do not go together", hint="choose one")
    if output.code and output.jsonl:
        raise UsageError("-x and --jsonl do not go together", hint="use --json")
    if output.code and output.reasoning in ("only", "tags"):
        raise UsageError(f"-x and --reasoning {output.reasoning} do not go together")
    if request.choices is not None:
        refuse_with_choices(request)
    streams = request.run.stream is True or not request.buffered
    is_json = request.sampling.schema is not None  # Markdown would eat its asterisks
    return DisplayOptions(
        buffered=not streams,
        reasoning="hide" if output.hide_reasoning else output.reasoning or request.reasoning,
        json=common.json, jsonl=output.jsonl, code=output.code,
        at_end=output.code is not None or request.choices is not None,
        color=common.color or "auto", quiet=common.quiet, raw=output.raw or is_json,
    )  # fmt: skip


def refuse_with_choices(request: AnswerRequest) -> None:
    """Refuse options that want something else of the answer than --choices. Raises UsageError."""
    others = {
        "--schema": request.sampling.schema, "-x": request.output.code,
        "--jsonl": request.output.jsonl or None,
        "--stream": request.run.stream or None,
    }  # fmt: skip
    for name, value in others.items():
        if value is not None:
            raise UsageError(f"{name} and --choices do not go together")
    if request.output.reasoning in ("only", "tags"):
        raise UsageError(f"--reasoning {request.output.reasoning} and --choices do not go together")


def load_answer_format(request: AnswerRequest, display: DisplayOptions) -> Schema | Choices | None:
    """The form that the answer must have, checked before anything else is read or sent.

    Raises:
        UsageError: another option excludes it, or it is not a JSON schema or a list of choices.
    """
    if request.choices is not None:
        from ..choices import parse_choices

        return parse_choices(request.choices)
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
    """Read a JSON object from a file.

    Raises:
        UsageError: the file cannot be read, or is not a JSON object.
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
        raise UsageError(
            "the schema is not a JSON object", where=name, hint='{"type": "object", …}'
        )
    if not isinstance(document.get("$schema", ""), str):  # jsonschema uses it as a URL
        raise UsageError('the schema is not valid: "$schema" must be text', where=name)
    return document
