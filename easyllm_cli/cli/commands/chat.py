"""`easyllm chat`: ask a model."""

from ..options.groups import options
from ..options.input import Ask, Target, Words
from ..options.output import Common, Show
from ..options.run import Run
from ..options.sampling import Sampling


@options
def chat(
    target: Target,
    ask: Ask,
    sampling: Sampling,
    show: Show,
    common: Common,
    run: Run,
    prompt: Words = None,
) -> int:
    """Ask a model. On a terminal the answer grows; into a pipe it is whole or not at all.

    Text on stdin goes before the prompt.

    git diff | easyllm chat "Write a commit message"
    """
    from ..answer import answer
    from ..request import Question

    return answer(Question(prompt or [], target, ask, sampling, show, common, run))
