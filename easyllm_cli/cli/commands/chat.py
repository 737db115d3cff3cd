"""`easyllm chat`: sends a prompt and prints the answer."""

from ..options.budget import BudgetOptions
from ..options.cache import CacheOptions
from ..options.common import CommonOptions
from ..options.groups import expand_option_groups
from ..options.history import HistoryOptions
from ..options.input import InputOptions, ModelOptions, PromptWords
from ..options.output import ChoicesOption, OutputOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions
from ..options.template import TemplateOptions


@expand_option_groups
def chat(
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
    choices: ChoicesOption = None,
    prompt: PromptWords = None,
) -> int:
    """Ask a model. The answer grows on a terminal; a pipe gets all of it or nothing.

    Text on stdin goes before the prompt.

    git diff | easyllm chat "Write a commit message"
    easyllm chat -p ollama -f notes.txt "Summarise"
    """
    from ..answer import answer_request
    from ..request import AnswerRequest

    return answer_request(
        AnswerRequest(
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
            choices,
        )
    )
