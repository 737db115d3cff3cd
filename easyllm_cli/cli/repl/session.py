"""Session: what one repl knows between two questions, and how it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ...errors import BROKEN_PIPE_EXIT_CODE, SIGTERM_EXIT_CODE, UsageError
from ..answer_history import AnswerHistory
from ..answer_recordings import resolve_cache_options
from ..profile_selection import select_profile
from ..prompt_text import STDIN_PLACEHOLDER, require_utf8
from ..request import may_offer_demo
from ..turn import Turn
from .totals import Totals
from .transcript import Transcript

if TYPE_CHECKING:
    from asyncio import Runner

    from ...config.profile import Profile
    from ...errors import EasyLLMError
    from ...images import Image
    from ...messages import Message
    from ...pipeline.call import Call
    from ...service import LLMService
    from ..cost import AnswerCost
    from ..options.input import ModelOptions
    from ..request import AnswerRequest
    from ..template import Template

FULL = "full"  # the mode of a history that keeps texts


class Session:
    """The conversation so far, and the options of the next question.

    `request`: the command's options, which the repl's commands replace. `name`: what a new
    conversation will be called. `files`, `images`: go with the next question.
    """

    def __init__(self, request: AnswerRequest, template: Template | None = None) -> None:
        """Raises as `choose_model`; UsageError: something is to be recorded and replayed."""
        self._recordings = resolve_cache_options(request.cache)
        self.request = request
        self.template = template
        self.system = request.input.system
        self.transcript = Transcript()
        self.name: str | None = None
        self.files: list[str] = []
        self.images: list[Image] = []
        self.last_question: Message | None = None
        self.totals = Totals()
        self.exit_code: int | None = None  # set when the repl is to end
        self.profile: Profile
        self.history_mode = ""
        self.choose_model(request.model)

    def choose_model(self, model: ModelOptions) -> None:
        """Ask this profile and model from now on; what the history keeps depends on the profile.

        Raises:
            ConfigError, UsageError: as `select_profile`; then nothing has changed.
        """
        request = replace(self.request, model=model)
        profile, fallbacks = select_profile(
            model, request.sampling, request.run, request.common.timeout,
            offer_demo=may_offer_demo(request),
        )  # fmt: skip
        history = AnswerHistory(request)
        history.choose_mode([profile, *fallbacks])
        self.request, self.profile, self.history_mode = request, profile, history.mode

    @cached_property
    def service(self) -> LLMService:
        """Asks all questions."""
        from ...service import LLMService

        return LLMService(record=self._recordings.record, replay=self._recordings.replay)

    @cached_property
    def runner(self) -> Runner:
        """Runs all answers in one event loop, whose connections and local models stay open."""
        from asyncio import Runner

        return Runner()

    @property
    def keeps_texts(self) -> bool:
        """Whether the history keeps the transcript."""
        return self.history_mode == FULL

    def describe_model(self) -> str:
        """`asking r1 (deepseek-r1)`."""
        model = self.profile.model
        return f"asking {self.profile_name} ({model})" if model else f"asking {self.profile_name}"

    @property
    def profile_name(self) -> str:
        """The name of the profile that is asked; of one without a name its provider's."""
        return self.profile.name or self.profile.provider or ""

    def attach(self, files: Sequence[str], images: Sequence[str]) -> None:
        """Read files and images by their names or patterns; they go with the next question.

        Raises:
            UsageError: one cannot be read, or is no image; then none is added.
        """
        from ...images import Image
        from ..named_files import expand_patterns
        from ..prompt import format_file

        texts = [format_file(name) for name in expand_patterns(list(files))]
        read = [Image.of(name, paths=True) for name in expand_patterns(list(images))]
        self.files += texts
        self.images += read

    def ask_text(self, text: str) -> None:
        """Ask what was typed, put into the template. Raises as `ask`."""
        require_utf8(text)
        filled = text
        if self.template is not None:
            # The words {stdin} are text here: nothing is read from stdin.
            filled = self.template.fill(text, STDIN_PLACEHOLDER * (STDIN_PLACEHOLDER in text))
        self.ask_filled(filled, title=text)

    def ask_filled(self, text: str, *, title: str, images: Sequence[Image] = ()) -> None:
        """Ask a text that is in the template already, with the files and images that wait for it.

        `images`: go before those. Raises as `ask`.
        """
        from ..prompt import user_message

        question = user_message(self.files, text, [*images, *self.images])
        self.files, self.images = [], []
        self.ask(question, title=title)

    def ask(
        self,
        question: Message,
        *,
        title: str = "",
        transcript: Transcript | None = None,
        model: ModelOptions | None = None,
    ) -> None:
        """Ask a question and show its answer; an error of the answer is printed.

        `title`: of a new conversation. `transcript`, `model`: instead of the session's; if the
        answer is complete, its transcript becomes the session's.
        Raises:
            EasyLLMError: an error found before anything was sent.
        """
        from ..answer import answer_request  # asyncio, the service: not before the first question

        transcript = transcript or self.transcript
        self.last_question = question
        turn = Turn(
            transcript.to_send(question, self.system),
            transcript.to_add(question),
            conversation=transcript.conversation,
            name=self.name,
            title=title,
            service=self.service,
            runner=self.runner,
            answered_by=transcript.answered_by,
            on_end=partial(self._keep, transcript, question),
        )
        request = replace(self.request, turn=turn, model=model or self.request.model)
        code = answer_request(request)
        if code in (SIGTERM_EXIT_CODE, BROKEN_PIPE_EXIT_CODE):
            self.exit_code = code

    def _keep(
        self,
        transcript: Transcript,
        question: Message,
        call: Call,
        error: EasyLLMError | None,
        cost: AnswerCost,
    ) -> None:
        """Take over a finished call; a failed one is no turn."""
        self.totals.add(call, cost)
        conversation = (transcript.conversation or call.id) if self.keeps_texts else None
        if error is None:
            text = call.completion()["text"]
            answerer = (call.profile_name, call.model)
            self.transcript = transcript.answered(question, text, conversation, answerer)
            if not self.request.common.quiet:
                from .printing import print_wrapped
                from .status_line import format_status_line

                print_wrapped(format_status_line(call, cost), dim=True)
        elif transcript is self.transcript and call.profile is not None:
            self.transcript = transcript.failed(conversation)

    def require_question(self) -> Message:
        """The last question, answered or not. Raises UsageError: there is none."""
        question = self.last_question
        if question is None and self.transcript.count:
            question = self.transcript.last()[0]
        if question is None:
            raise UsageError("there is no question yet", hint="type one")
        return question
