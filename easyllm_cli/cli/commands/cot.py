"""`easyllm cot`: asks for an answer and its reasoning, or splits text on stdin (`--extract`)."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated

from ...errors import UsageError
from ...events import Done, Event, Start, Text
from ..options.budget import BudgetOptions
from ..options.cache import CacheOptions
from ..options.common import CommonOptions
from ..options.groups import OUTPUT_PANEL, SAMPLING_PANEL, declare, expand_option_groups
from ..options.history import HistoryOptions
from ..options.input import InputOptions, ModelOptions, PromptWords
from ..options.output import OutputOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions
from ..options.template import TemplateOptions
from ..stdin import Stdin

if TYPE_CHECKING:
    from ...choices import Choices
    from ...json_schema import Schema
    from ...pipeline.call import Call
    from ..request import AnswerRequest

ELICIT_CHOICES = ("auto", "always", "never")
Extract = Annotated[
    bool,
    declare(OUTPUT_PANEL, "--extract", help="Split text from stdin; no request.", short=True),
]
Elicit = Annotated[
    str | None,
    declare(
        SAMPLING_PANEL,
        "--elicit",
        help="Prompt for reasoning in tags; auto: if the model cannot reason.",
        choices=ELICIT_CHOICES,
    ),
]


@expand_option_groups
def cot(
    model: ModelOptions,
    input: InputOptions,
    sampling: SamplingOptions,
    output: OutputOptions,
    common: CommonOptions,
    run: RunOptions,
    history: HistoryOptions,
    cache: CacheOptions,
    budget: BudgetOptions,
    template: TemplateOptions,
    prompt: PromptWords = None,
    extract: Extract = False,
    elicit: Elicit = None,
) -> int:
    """Ask for reasoning too: the answer goes to stdout, the reasoning to stderr.

    easyllm cot -p r1 --reasoning only "How many r in strawberry?"
    easyllm cot -p r1 --json "How many r in strawberry?" | jq -r .reasoning
    """
    from ..answer import answer_request
    from ..request import AnswerRequest

    sampling.think = True
    request = AnswerRequest(
        prompt or [], model, input, sampling, output, common, run, history, cache, budget, template,
        command="cot", reasoning="show", elicit=elicit or "auto",
    )  # fmt: skip
    if not extract:
        return answer_request(request)
    if elicit or template.template:
        option = "--elicit" if elicit else "-T"
        raise UsageError(f"--extract cannot be used with {option}", hint="it sends no request")
    return split_stdin(request)


def split_stdin(request: "AnswerRequest") -> int:
    """Show the reasoning and the answer in the text on stdin; returns the exit code.

    Raises:
        UsageError: as `read_text_to_split`.
    """
    from ...pipeline.call import Call
    from ...render import choose_renderer
    from ..answer_run import AnswerRun
    from ..request import display_options, load_answer_format

    common = request.common
    source = Stdin(request.input.no_stdin, common.quiet, common.timeout)
    text = read_text_to_split(request.prompt_words, source)
    display, call = display_options(request), Call([])
    schema = load_answer_format(request, display)
    events = events_from_text(call, text, display.reasoning, schema)
    answer_run = AnswerRun(request, display, choose_renderer(display), call)
    answer_run.answer_format = schema
    return answer_run.run(events)


def read_text_to_split(words: list[str], source: Stdin) -> str:
    """Read the text on stdin.

    Raises:
        UsageError: there is none, or there is also a prompt.
    """
    from ..stdin import decode_stdin

    if [word for word in words if word != "-"]:
        raise UsageError("--extract takes no prompt", hint="it splits the text on stdin")
    text = decode_stdin(source.read_bytes(forced=True))
    if not text.strip():
        raise UsageError("nothing to split on stdin", hint="cat answer.txt | easyllm cot --extract")
    return text


async def events_from_text(
    call: "Call", text: str, reasoning: str, answer_format: "Schema | Choices | None" = None
) -> AsyncGenerator[Event, None]:
    """The events of a model's answer with this text, its reasoning separated; `call` records them.

    Raises:
        IncompleteAnswer: it contains reasoning and no answer.
        MalformedAnswer: as `check_acceptable`.
    """
    from ...pipeline.acceptance import check_acceptable
    from ...pipeline.completeness import require_complete
    from ...pipeline.reasoning_tags import TagSplitter

    splitter, done = TagSplitter("auto", hold=True), Done("stop", True)
    yield call.record(Start("", ""))
    for event in (*splitter.split(Text(text)), *splitter.split(done)):
        yield call.record(event)
        if event is done:
            require_complete(call.collector, done, strict=False)
            check_acceptable(call.completion(), False, reasoning, answer_format)
