"""`easyllm stream`: ask, and print every token the moment it comes."""

from ..options.groups import expand_option_groups
from ..options.input import InputOptions, ModelOptions, PromptWords
from ..options.output import CommonOptions, OutputOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions


@expand_option_groups
def stream(
    model: ModelOptions,
    input: InputOptions,
    sampling: SamplingOptions,
    output: OutputOptions,
    common: CommonOptions,
    run: RunOptions,
    prompt: PromptWords = None,
) -> int:
    """Ask, and print every token the moment it comes, into a pipe too.

    An answer that is cut ends with exit code 7.

    easyllm stream "Tell a story" | tee story.md
    """
    from ..answer import answer_request
    from ..request import AnswerRequest

    question = AnswerRequest(
        prompt or [], model, input, sampling, output, common, run, "stream", False
    )
    return answer_request(question)
