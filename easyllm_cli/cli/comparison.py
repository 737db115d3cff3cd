"""Prepares a comparison: the profiles, what each is asked, and where the answers are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.profile import Profile, validate_setting
from ..errors import UsageError
from ..frozen_dataclass import FrozenDataclass
from ..messages import with_system_prompt
from ..render.options import DisplayOptions
from ..service import LLMService
from .answer_history import AnswerHistory
from .answer_recordings import resolve_cache_options
from .compared_answer import ComparedProfile, make_labels
from .comparison_run import ComparisonRun
from .named_files import refuse_files_among
from .options.budget import BudgetOptions
from .options.cache import CacheOptions
from .options.common import CommonOptions
from .options.comparison import ComparisonOptions
from .options.history import HistoryOptions
from .options.input import InputOptions, ModelOptions
from .options.output import OutputOptions
from .options.run import RunOptions
from .options.sampling import SamplingOptions
from .options.template import TemplateOptions
from .profile_selection import refuse_auto_profile, select_profile
from .prompt import build_messages
from .prompt_notes import find_prompt_notes
from .request import AnswerRequest, load_answer_format
from .stdin import Stdin

if TYPE_CHECKING:
    from ..choices import Choices
    from ..json_schema import Schema

COMMAND = "compare"


class ComparisonRequest(FrozenDataclass):
    """The prompt words and options of `easyllm compare`."""

    prompt_words: list[str]
    comparison: ComparisonOptions
    input: InputOptions
    sampling: SamplingOptions
    common: CommonOptions
    cache: CacheOptions

    def of_profile(self, selector: str) -> AnswerRequest:
        """The same request to one profile, as `chat` would make it."""
        options = self.comparison
        return AnswerRequest(
            self.prompt_words,
            ModelOptions(profile=selector, model=options.shared_model, profiles=options.profiles),
            self.input,
            self.sampling,
            OutputOptions(),
            self.common,
            RunOptions(),
            HistoryOptions(history=options.history),
            self.cache,
            BudgetOptions(),
            TemplateOptions(),
            command=COMMAND,
        )


def compare_profiles(request: ComparisonRequest) -> int:
    """Ask all profiles, show their answers and figures, and return the exit code.

    Raises:
        EasyLLMError: an error found before anything is sent.
    """
    selectors = request.comparison.selectors or []
    require_several(selectors)
    options, common = request.input, request.common
    named = [word for selector in selectors for word in ("-p", selector)]
    refuse_files_among(request.prompt_words, options, COMMAND, named)
    requests = [request.of_profile(selector) for selector in selectors]
    answer_format = load_answer_format(requests[0], DisplayOptions(json=common.json))
    kept = resolve_cache_options(request.cache)
    profiles = [select_compared(each, answer_format, kept.cache) for each in requests]
    histories = [open_history(*each) for each in zip(requests, profiles, strict=True)]
    source = Stdin(options.no_stdin, common.quiet, common.timeout)
    messages = build_messages(request.prompt_words, options, source, [])
    compared = [
        ComparedProfile(
            label, profile, history.continued(with_system_prompt(messages, profile.system)), history
        )
        for label, profile, history in zip(make_labels(selectors), profiles, histories, strict=True)
    ]
    service = LLMService(record=kept.record, replay=kept.replay)
    run = ComparisonRun(compared, service, common, answer_format)
    run.lacks_stdin = source.was_empty and any(profile.strict for profile in profiles)
    run.notes = find_prompt_notes(requests[0], source, profiles)
    run.notes += [] if run.lacks_stdin else source.notes
    return run.run(request.comparison.rounds)


def require_several(selectors: list[str]) -> None:
    """Refuse less than two profiles. Raises UsageError."""
    if len(selectors) < 2:
        what = f", and -p names {selectors[0]} alone" if selectors else ""
        name = selectors[0].partition(":")[0] if selectors else "ollama"
        raise UsageError(
            f"compare needs two profiles or more{what}",
            hint=f"add another -p; two models of one profile: -p {name}:MODEL -p {name}:OTHER",
        )


def select_compared(
    request: AnswerRequest, answer_format: Schema | Choices | None, cache: str | None
) -> Profile:
    """The profile of a request, without its fallbacks: only what -p names is compared.

    Raises:
        ConfigError: it does not exist or is wrong.
    """
    profile, _ = select_profile(request.model, request.sampling, request.run, None)
    refuse_auto_profile(profile, "compare")
    return profile.replace_set(
        schema=answer_format and answer_format.document, cache=validate_setting("cache", cache)
    )


def open_history(request: AnswerRequest, profile: Profile) -> AnswerHistory:
    """The history of a profile's answers. Raises as `AnswerHistory.choose_mode`."""
    history = AnswerHistory(request)
    history.choose_mode([profile])
    return history
