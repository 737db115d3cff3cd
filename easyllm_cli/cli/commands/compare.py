"""`easyllm compare`: asks several profiles at once and shows answers, speed and cost."""

from ..options.cache import CacheOptions
from ..options.common import CommonOptions
from ..options.comparison import ComparisonOptions
from ..options.groups import expand_option_groups
from ..options.input import InputOptions, PromptWords
from ..options.sampling import SamplingOptions


@expand_option_groups
def compare(
    comparison: ComparisonOptions,
    input: InputOptions,
    sampling: SamplingOptions,
    common: CommonOptions,
    cache: CacheOptions,
    prompt: PromptWords = None,
) -> int:
    """Ask several models at once: their answers, speed and cost side by side.

    On a narrow terminal and in a pipe the answers stand one below the other. If some of them fail
    or are cut, the exit code is 9. A profile's fallback profiles are not asked.

    easyllm compare -p ollama -p openai:gpt-4o "Why is the sky blue?"
    easyllm compare -r 3 -p openai:gpt-4o -p r1 "Tell a story"
    """
    from ..comparison import ComparisonRequest, compare_profiles

    return compare_profiles(
        ComparisonRequest(prompt or [], comparison, input, sampling, common, cache)
    )
