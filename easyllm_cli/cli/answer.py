"""Runs one request: chooses the profile, builds the prompt, asks, and keeps the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..config.profile import validate_setting
from ..config.settings import AUTO_PROVIDER
from ..errors import BROKEN_PIPE_EXIT_CODE, IncompleteAnswer, UsageError
from ..events import MAX_TEXT_BYTES, Event
from ..messages import with_system_prompt
from ..pipeline.acceptance import check_acceptable
from ..pipeline.call import Call
from ..render import choose_renderer
from ..service import LLMService
from .answer_history import AnswerHistory
from .answer_recordings import resolve_cache_options
from .answer_run import AnswerRun
from .named_files import refuse_files_among
from .profile_selection import select_profile
from .prompt import build_messages
from .prompt_notes import find_prompt_notes
from .prompt_text import join_words
from .request import AnswerRequest, display_options, load_answer_format, may_offer_demo
from .stdin import Stdin

if TYPE_CHECKING:
    from ..choices import Choices
    from ..completion import Completion
    from ..config.profile import Profile
    from ..json_schema import Schema
    from ..messages import Message
    from ..render.options import DisplayOptions
    from ..routing import Route
    from .options.cache import CacheOptions
    from .template import Template


def answer_request(request: AnswerRequest) -> int:
    """Send the request, show the answer and return the exit code.

    Raises:
        EasyLLMError: an error found before anything is sent.
    """
    request, template = _apply_template(request)
    display = display_options(request)
    options = request.input
    refuse_files_among(request.prompt_words, options, request.command)
    answer_format = load_answer_format(request, display)
    kept = resolve_cache_options(request.cache)
    history = AnswerHistory(request)
    profile, fallbacks = _select_profiles(request, history, answer_format, kept.cache)
    history.require_same_host(profile)
    history.choose_mode([profile, *fallbacks])
    common = request.common
    source = request.stdin or Stdin(options.no_stdin, common.quiet, common.timeout)
    messages = _messages(request, history, source, template)
    route = _choose_route(request, history, profile, fallbacks, messages)
    profile, *fallbacks = route.profiles if route is not None else (profile, *fallbacks)
    if route is None or request.run.dry_run:  # else each candidate has its own
        messages = with_system_prompt(messages, profile.system)
    lacks_input = source.was_empty and bool(profile.strict)  # an error, no note
    notes = [] if lacks_input else source.notes
    notes = [*find_prompt_notes(request, source, [profile, *fallbacks]), *notes]
    if request.run.dry_run:
        from .dry_run import dry_run

        return dry_run(profile, messages, request, notes, route)
    answer_run, events = _start(
        request, display, answer_format, kept, [profile, *fallbacks], messages, notes
    )
    if route is not None:
        route.apply(answer_run.call)
    answer_run.lacks_stdin = lacks_input
    return _run_and_keep(answer_run, events, history)


def _choose_route(
    request: AnswerRequest,
    history: AnswerHistory,
    profile: Profile,
    candidates: list[Profile],
    messages: list[Message],
) -> Route | None:
    """How an auto profile chooses among its candidates; None = it is no auto profile.

    Raises:
        EasyLLMError: as `choose_candidate`.
    """
    if profile.provider != AUTO_PROVIDER:
        return None
    from .auto_choice import choose_candidate

    return choose_candidate(request, history, profile, candidates, messages)


def _start(
    request: AnswerRequest,
    display: DisplayOptions,
    answer_format: Schema | Choices | None,
    kept: CacheOptions,
    profiles: list[Profile],
    messages: list[Message],
    notes: list[str],
) -> tuple[AnswerRun, AsyncGenerator[Event, None]]:
    """The run of one answer, and its events, which ask the profiles in turn.

    `kept`: where the answer may come from, and where it is recorded.
    """
    renderer = choose_renderer(display)
    calls: list[Call] = []
    profile, *fallbacks = profiles
    events = _service(request, kept).stream(
        profile, messages, stream=request.run.stream is not False, shown=renderer.shown_kinds,
        max_bytes=request.run.max_output_bytes or MAX_TEXT_BYTES,
        verdict=lambda answer, limit: _judge(calls[0], answer, limit, display, answer_format),
        fallbacks=fallbacks, on_call=calls.append,
    )  # fmt: skip
    answer_run = AnswerRun(request, display, renderer, calls[0], profiles, notes)
    answer_run.answer_format = answer_format
    return answer_run, events


def _apply_template(request: AnswerRequest) -> tuple[AnswerRequest, Template | None]:
    """The request with what the head of its template sets, and the template; None = it has none.

    Raises:
        UsageError, ConfigError: as `load_template`.
    """
    name, variables = request.template.template, request.template.var or []
    if name is None:
        if variables:
            raise UsageError("--var is for a template", hint="name one with -T")
        return request, None
    from .template import load_template
    from .template_head import apply_head

    template = load_template(name, variables, join_words(request.prompt_words))
    return apply_head(request, template.head), template


def _messages(
    request: AnswerRequest, history: AnswerHistory, source: Stdin, template: Template | None
) -> list[Message]:
    """What is sent, but for the profile's system prompt. Raises UsageError as `build_messages`."""
    if request.turn is not None:
        return request.turn.messages
    words, images = request.prompt_words, list(request.images)
    return history.continued(build_messages(words, request.input, source, images, template))


def _service(request: AnswerRequest, kept: CacheOptions) -> LLMService:
    """The service that is asked: the repl's, which keeps connections from turn to turn."""
    if request.turn is not None:
        return request.turn.service
    return LLMService(record=kept.record, replay=kept.replay)


def _judge(
    call: Call,
    answer: Completion,
    limited: bool,
    display: DisplayOptions,
    answer_format: Schema | Choices | None,
) -> str:
    """Accept the answer or raise, as `check_acceptable`; one that -x will reject is not cached."""
    note = check_acceptable(answer, limited, display.reasoning, answer_format)
    if display.code and call.next_sources and "code" in (call.escalate or ()):
        from ..render.code_blocks import extract_code_blocks

        extract_code_blocks(answer["text"], all_blocks=False)  # raises: the next one is asked
    if display.code and call.uses_recordings:
        from ..render.code_blocks import extract_code_blocks

        call.is_cacheable = False
        with suppress(IncompleteAnswer):
            call.is_cacheable = bool(extract_code_blocks(answer["text"], all_blocks=False))
    return note


def _select_profiles(
    request: AnswerRequest,
    history: AnswerHistory,
    answer_format: Schema | Choices | None,
    cache: str | None,
) -> tuple[Profile, list[Profile]]:
    """The profile and its fallbacks, with all options of the request.

    Raises:
        ConfigError: as `select_profile`. UsageError: --explain, and no auto profile chooses.
    """
    profile, fallbacks = select_profile(
        history.model_options(), request.sampling, request.run, request.common.timeout,
        offer_demo=may_offer_demo(request),
    )  # fmt: skip
    if request.run.explain and profile.provider != AUTO_PROVIDER:
        raise UsageError(
            f"--explain shows a choice, and profile {profile.name} makes none",
            hint=f'it is for profiles with provider = "{AUTO_PROVIDER}"',
        )
    settings = {
        **(answer_format.request_settings if answer_format else {}),
        "elicit": request.elicit,
        "cache": validate_setting("cache", cache),
        "max_cost": request.budget.max_cost,
    }
    return profile.replace_set(**settings), [each.replace_set(**settings) for each in fallbacks]


def _run_and_keep(
    answer_run: AnswerRun, events: AsyncGenerator[Event, None], history: AnswerHistory
) -> int:
    """Run the answer to its end, and then keep it in the history."""
    call = answer_run.call
    answer_run.conversation = history.conversation(call)
    try:
        code = answer_run.run(events)
    except BrokenPipeError:
        history.save(call, BROKEN_PIPE_EXIT_CODE, find_cost=answer_run.cost)
        raise
    history.save(call, code, answer_run.error, find_cost=answer_run.cost)
    if answer_run.request.turn is not None:
        answer_run.request.turn.on_end(call, answer_run.error, answer_run.cost())
    return code
