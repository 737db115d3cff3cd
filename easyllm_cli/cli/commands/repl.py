"""`easyllm repl`: asks question after question at a terminal."""

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
def repl(
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
    """Ask question after question; each one continues the conversation.

    /help lists the commands, Ctrl-D leaves.

    easyllm repl -p ollama
    easyllm repl -c
    """
    from ..repl.start import run_repl
    from ..request import AnswerRequest

    return run_repl(
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
            command="repl",
        )
    )
