"""`easyllm stream`: sends a prompt and prints every token as it arrives."""

from ..options.budget import BudgetOptions
from ..options.cache import CacheOptions
from ..options.common import CommonOptions
from ..options.groups import expand_option_groups
from ..options.history import HistoryOptions
from ..options.input import InputOptions, ModelOptions, PromptWords
from ..options.output import OutputOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions
from ..options.template import TemplateOptions


@expand_option_groups
def stream(
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
) -> int:
    """Ask a model and print every token as it arrives, into a pipe too.

    If the answer is cut, the exit code is 7. In a pipe the text stays plain: no Markdown is drawn.

    easyllm stream "Tell a story" | tee story.md
    easyllm stream --jsonl "Tell a story" > events.jsonl
    """
    from ..answer import answer_request
    from ..request import AnswerRequest

    request = AnswerRequest(
        prompt or [],
        model,
        input,
        sampling,
        output,
        common,
        run,
        history,
        cache,
        budget,
        template,
        command="stream",
        buffered=False,
    )
    return answer_request(request)
