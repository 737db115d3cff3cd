"""`easyllm stream`: ask, and print every token the moment it comes."""

from ..options.groups import options
from ..options.input import Ask, Target, Words
from ..options.output import Common, Show
from ..options.run import Run
from ..options.sampling import Sampling


@options
def stream(
    target: Target,
    ask: Ask,
    sampling: Sampling,
    show: Show,
    common: Common,
    run: Run,
    prompt: Words = None,
) -> int:
    """Ask, and print every token the moment it comes, into a pipe too.

    An answer that is cut ends with exit code 7.

    easyllm stream "Tell a story" | tee story.md
    """
    from ..answer import answer
    from ..request import Question

    question = Question(prompt or [], target, ask, sampling, show, common, run, "stream", False)
    return answer(question)
