"""`easyllm cot`: ask for the reasoning too, apart from the answer."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...events import ANY_SIZE, Done, Event, Start, Text
from ...pipeline.collector import Collector
from ..option_types import worded
from ..options.groups import HOW, SHOWN, options
from ..options.input import Ask, Target, Words
from ..options.output import Common, Show
from ..options.run import Run
from ..options.sampling import Sampling
from ..prompt import Stdin

if TYPE_CHECKING:
    from ...json_schema import Schema

ELICIT = ("auto", "always", "never")
Extract = Annotated[
    bool,
    typer.Option("--extract", help="Split text on stdin; no call.", rich_help_panel=SHOWN),
]
Elicit = Annotated[
    str | None,
    typer.Option(
        "--elicit", help="Ask for thinking in tags: auto = where the model cannot reason.",
        rich_help_panel=HOW, show_default=False, **worded(ELICIT),
    ),
]  # fmt: skip


@options
def cot(
    target: Target,
    ask: Ask,
    sampling: Sampling,
    show: Show,
    common: Common,
    run: Run,
    prompt: Words = None,
    extract: Extract = False,
    elicit: Elicit = None,
) -> int:
    """Ask for the reasoning too: the answer on stdout, the reasoning whole on stderr.

    easyllm cot --json "How many r in strawberry?" | jq -r .reasoning
    """
    from ...render import choose
    from ..answer import Road, answer
    from ..request import Question, look_of, schema_of

    sampling.think = True
    question = Question(prompt or [], target, ask, sampling, show, common, run, "cot")
    question.reasoning = "show"
    question.elicit = elicit or "auto"
    if not extract:
        return answer(question)
    if elicit:
        raise UsageError("--extract and --elicit do not go together", hint="nothing is asked")
    text = text_to_split(prompt or [], Stdin(ask.no_stdin, common.quiet, common.timeout))
    look = look_of(question)
    events = extracted(text, look.reasoning, schema_of(question, look))
    return Road(question, look, choose(look), "").travel(events)


def text_to_split(words: list[str], source: Stdin) -> str:
    """The text on stdin.

    Raises:
        UsageError: there is none, or a prompt was given beside it.
    """
    from ..stdin import as_text

    if [word for word in words if word != "-"]:
        raise UsageError("--extract takes no prompt", hint="it splits the text on stdin")
    text = as_text(source.given(forced=True))
    if not text.strip():
        raise UsageError("nothing to split on stdin", hint="cat answer.txt | easyllm cot --extract")
    return text


async def extracted(
    text: str, reasoning: str, schema: "Schema | None" = None
) -> AsyncIterator[Event]:
    """The text as if a model had just said it.

    Raises:
        IncompleteAnswer: it holds reasoning and no answer. MalformedAnswer: as `verdict`.
    """
    from ...pipeline.completeness import judge
    from ...pipeline.reasoning_tags import split_tags
    from ..answer import verdict

    async def said() -> AsyncIterator[Event]:
        yield Text(text)
        yield Done("stop", True)

    gathered = Collector(ANY_SIZE)
    yield Start("", "")
    async for event in split_tags(said(), "auto", hold=True):
        gathered.feed(event)
        if isinstance(event, Done):
            judge(gathered, event, strict=False)
            verdict(gathered.completion(), False, reasoning, schema)
        yield event
