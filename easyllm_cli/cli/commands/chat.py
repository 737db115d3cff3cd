"""`easyllm chat`: ask a model."""

from ..options.groups import expand_option_groups
from ..options.input import InputOptions, ModelOptions, PromptWords
from ..options.output import CommonOptions, OutputOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions


@expand_option_groups
def chat(
    model: ModelOptions,
    input: InputOptions,
    sampling: SamplingOptions,
    output: OutputOptions,
    common: CommonOptions,
    run: RunOptions,
    prompt: PromptWords = None,
) -> int:
    """Ask a model. On a terminal the answer grows; into a pipe it is whole or not at all.

    Text on stdin goes before the prompt.

    git diff | easyllm chat "Write a commit message"
    """
    from ..answer import answer_request
    from ..request import AnswerRequest

    return answer_request(AnswerRequest(prompt or [], model, input, sampling, output, common, run))
