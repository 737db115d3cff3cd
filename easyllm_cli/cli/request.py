"""The one road from a command line to an answer: profile, messages, events, verdict, exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config.profile import Profile
from ..errors import UsageError
from ..events import (
    MAX_TEXT_BYTES,
)
from ..images import Image
from ..messages import Message, with_system
from ..render import Look, choose
from ..render.output import complain
from ..service import LLMService
from .answer import Road, verdict
from .named_files import note_on_files_among, refuse_files_among
from .options import Ask, Common, Run, Sampling, Show, Target
from .profile_selection import chosen
from .prompt import Stdin, conversation

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


def answer(question: Question) -> int:
    """Ask, show, judge; gives the exit code.

    Raises:
        EasyLLMError: what is wrong before anything is sent.
    """
    look = look_of(question)
    ask = question.ask
    refuse_files_among(question.words, ask, question.command)
    schema = schema_of(question, look)
    profile, fallbacks = chosen(
        question.target, question.sampling, question.run, question.common.timeout,
        offers=may_offer(question),
    )  # fmt: skip
    of_the_call = {"schema": schema and schema.document, "elicit": question.elicit}
    profile = profile.with_(**of_the_call)
    fallbacks = [one.with_(**of_the_call) for one in fallbacks]
    common = question.common
    source = question.source or Stdin(ask.no_stdin, common.quiet, common.timeout)
    messages = conversation(question.words, ask, source, list(question.pictures))
    messages = with_system(messages, profile.system)
    lacks_input = source.was_empty and bool(profile.strict)  # then an error says so, no note
    notes = [*notes_on(question), *([] if lacks_input else source.notes)]
    if question.run.dry_run:
        return dry_run(profile, messages, question, notes)
    renderer = choose(look)
    events = LLMService().stream(
        profile, messages, stream=question.run.stream is not False, shown=renderer.shown,
        max_bytes=question.run.max_output_bytes or MAX_TEXT_BYTES,
        verdict=lambda answer, limited: verdict(answer, limited, look.reasoning, schema),
        fallbacks=fallbacks,
    )  # fmt: skip
    road = Road(question, look, renderer, profile.name, notes)
    road.lacks_input = lacks_input
    return road.travel(events)


def notes_on(question: Question) -> list[str]:
    """What to say of the prompt's own words."""
    ask = question.ask
    note = "" if ask.file or ask.image else note_on_files_among(question.words)
    return [note] if note else []


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

    return Schema(name, unwraps=look.whole or look.json)


def dry_run(profile: Profile, messages: list[Message], question: Question, notes: list[str]) -> int:
    """Print the request that would be sent, keys as ***; no network, no key needed."""
    from ..pipeline.think_prompt import asked
    from ..providers import provider_for
    from ..providers.http import HTTPProvider
    from ..render.json import print_object

    provider = provider_for(profile)
    if profile.elicit == "always":
        messages = asked(provider, messages)
    if not isinstance(provider, HTTPProvider):
        raise UsageError(f"--dry-run cannot show what {profile.provider} sends")
    made = provider.dry_request(messages, stream=question.run.stream is not False)
    for note in [] if question.common.quiet else notes:
        complain(f"easyllm: {note}")
    headers = {name: str(value) for name, value in made.headers.items()}
    print_object({"method": made.method, "url": made.url, "headers": headers, "body": made.body})
    return 0
