"""The one road from a command line to an answer: profile, messages, events, verdict, exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..images import Image
from ..render.options import Look
from .options.input import Ask, Target
from .options.output import Common, Show
from .options.run import Run
from .options.sampling import Sampling
from .prompt import Stdin, text_of

if TYPE_CHECKING:
    from ..json_schema import Schema


@dataclass(eq=False, repr=False)
class Question:
    """What a command hands to the road: its words, pictures and options."""

    words: list[str]
    target: Target
    ask: Ask
    sampling: Sampling
    show: Show
    common: Common
    run: Run
    command: str = "chat"
    whole: bool = True
    reasoning: str = "auto"
    elicit: str | None = None
    pictures: tuple[Image, ...] = ()
    source: Stdin | None = None


def may_offer(question: Question) -> bool:
    """Whether the demo model may be offered where nothing can answer: to a person who asks."""
    for_a_program = question.common.json or question.show.jsonl or question.run.dry_run
    return not (for_a_program or question.pictures or question.common.quiet)


def look_of(question: Question) -> Look:
    """The options of the group Show, checked against each other."""
    show, common = question.show, question.common
    if common.json and show.jsonl:
        raise UsageError("--json and --jsonl do not go together", hint="choose one")
    if show.reasoning and show.hide_reasoning and show.reasoning != "hide":
        raise UsageError("-R and --reasoning do not go together", hint="choose one")
    if show.code and show.jsonl:
        raise UsageError("-x and --jsonl do not go together", hint="use --json")
    if show.code and show.reasoning in ("only", "tags"):
        raise UsageError(f"-x and --reasoning {show.reasoning} do not go together")
    grows = question.run.stream is True or not question.whole
    return Look(
        whole=not grows,
        reasoning="hide" if show.hide_reasoning else show.reasoning or question.reasoning,
        json=common.json, jsonl=show.jsonl, code=show.code,
        color=common.color or "auto", quiet=common.quiet, raw=show.raw,
    )  # fmt: skip


def schema_of(question: Question, look: Look) -> Schema | None:
    """What --schema names, looked at before anything is read or sent.

    Raises:
        UsageError: it does not go with another option, or is no schema.
    """
    name = question.sampling.schema
    if name is None:
        return None
    if look.code:
        raise UsageError("-x and --schema do not go together", hint="the answer is the JSON alone")
    if question.elicit == "always":
        raise UsageError("--elicit always and --schema do not go together", hint="choose one")
    from ..json_schema import Schema

    return Schema(document_in(name), name, unwraps=look.whole or look.json)


def document_in(name: str) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        UsageError: there is none.
    """
    from ..json_schema import parsed, reason_of

    if name == "-":
        raise UsageError("--schema takes a file", hint="stdin is text for the prompt")
    text = text_of(name, "the schema")
    try:
        document = parsed(text)
    except RecursionError:
        raise UsageError("the schema is nested too deeply", where=name) from None
    except ValueError as error:
        raise UsageError(f"the schema is not JSON: {reason_of(error)}", where=name) from None
    if not isinstance(document, dict):
        raise UsageError("the schema is no JSON object", where=name, hint='{"type": "object", …}')
    if not isinstance(document.get("$schema", ""), str):  # jsonschema takes it for a URL
        raise UsageError('the schema is not valid: "$schema" is no text', where=name)
    return document
