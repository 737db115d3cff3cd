"""HTTPProvider: an adapter that speaks HTTP itself, as a request to build and a decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

from ..config.credentials import find_key_source, has_key_source, resolve_api_key
from ..config.endpoints import Endpoint, resolve_endpoint
from ..config.profile import Profile
from ..errors import (
    AuthError,
    ConfigError,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    MalformedAnswer,
    NetworkError,
    NotFoundError,
    suggest_name,
)
from ..events import Done, Event, Note, Reasoning, Start, Text, Usage
from ..messages import Message
from ..secret import Secret
from ..transport import transport_for
from ..transport.base import Request, Transport
from ..transport.framing import Framing, WholeBody
from ..transport.json_frames import ParsedFrame, read_frames
from ..transport.response_errors import ERROR_HINTS, WRONG_ENDPOINT_HINT
from ..transport.timeouts import ResponseTimer
from ..vendors import Vendor, get_vendor
from .base import BaseLLMProvider
from .decoder import Decoder, SurrogateJoiner
from .headers import extra_headers
from .ignored_settings import refuse_unsupported_options
from .prompt_size import is_token_count_too_low
from .request_variant import RequestVariant
from .unsupported_parameters import UnsupportedParameters, has_output_limit

BUFFERED_TIMEOUT_SECONDS = 600.0  # DESIGN §5: a plain request gets timeout.total, or this


class HTTPProvider(BaseLLMProvider):
    """Adapters write `request`, `framing`, `decoder` and, where it needs the network, `prepare`.

    `wire_names`: for each profile key that a server may refuse, its place in the body.
    """

    parameter_paths: ClassVar[Mapping[str, str]] = {}
    start_hint: ClassVar[str] = "is the server running?"
    truncated_prompt_hint: ClassVar[str] = (
        "ask for less at a time"  # where a prompt may have been cut
    )
    no_key_hint: str = "no key was sent: name one with api_key_env"

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        super().__init__(profile, trust_configs=trust_configs)
        self.endpoint: Endpoint = resolve_endpoint(self.profile)
        self.dry_run = False
        self.key_cache: list[Secret | None] = []  # the one in use, once it has been looked up
        self.vendor: Vendor = get_vendor(self.profile.provider)
        self.unsupported_parameters = UnsupportedParameters(
            self.resolve_parameter_paths(), self.profile
        )
        self.request_variant = RequestVariant(bool(self.profile.strict))
        self.has_output_limit = (
            False  # whether the last request held a limit of the answer's length
        )

    @abstractmethod
    def request(self, messages: list[Message], stream: bool) -> Request:
        """What is sent for one answer; no network, no key lookup but in its headers."""

    @abstractmethod
    def framing(self) -> Framing:
        """How a streamed answer is cut into frames."""

    @abstractmethod
    def decoder(self, stream: bool) -> Decoder:
        """A new decoder for one answer."""

    def per_answer_copy(self) -> Self:
        """A copy with a key and, where none is named, a model of its own."""
        _ = self.transport  # made before the copy, so that both have the one
        made = copy(self)
        if self.profile.api_key_cmd is None:  # a command may take seconds: see `explain`
            made.key_cache = []
        return made

    @property
    def path_hint(self) -> str:
        """What to do where the path is wrong."""
        return "check the endpoint"

    def resolve_parameter_paths(self) -> Mapping[str, str]:
        """`wire_names`, where they depend on the profile."""
        return self.parameter_paths

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """What must be asked before the request: the model, if none is named, and whether it
        sees. Gives the messages to send and notes for the user."""
        if not self.model:
            raise ConfigError(
                "no model is named",
                where=self.where,
                hint=f"add -m MODEL (easyllm models {self.profile.cli_selector} lists them)",
            )
        return messages, []

    @property
    def key(self) -> Secret | None:
        """The key for this endpoint. Raises AuthError or ConfigError as `key_for`."""
        if not self.key_cache:
            self.key_cache.append(resolve_api_key(self.profile, self.endpoint))
        return self.key_cache[0]

    @cached_property
    def transport(self) -> Transport:
        """What takes requests to the endpoint. Raises ConfigError as `transport_for`."""
        return transport_for(self.profile, self.endpoint, self.sdk)

    @property
    def where(self) -> str:
        return f"{super().where}, {self.endpoint.url}"

    def headers(self) -> dict[str, str | Secret]:
        """Authorization and the profile's own headers."""
        made: dict[str, str | Secret] = {}
        if self.key is not None:
            made["Authorization"] = Secret(f"Bearer {self.key.reveal()}")
        return made | self.extra_headers()

    def extra_headers(self) -> dict[str, str | Secret]:
        """The profile's `headers`; a value `env:NAME` is the variable's, kept secret."""
        return extra_headers(self.profile, self.endpoint, self.dry_run)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """One attempt; a request refused for one parameter is sent once more without it, one
        refused for its form in the other form."""
        messages, notes = await self.prepare(messages)
        for note in notes:
            yield Note(note)
        yield Start(self.profile.provider or self.provider, self.model, self.profile.name)
        sent, streams = self.request_variant.apply(messages, stream)
        request = self.unsupported_parameters.apply(self.request(sent, streams))
        while True:
            patience = self._new_timer(streams)
            try:
                answer: Any = self._send_request(request, sent, streams, patience)
                async with aclosing(answer):
                    async for event in answer:
                        yield event
                return
            except EasyLLMError as error:
                if patience.has_progress:
                    raise
                note = self.request_variant.learn(error, sent, streams)
                mended = None if note else self.unsupported_parameters.retry_without(request, error)
                if mended is None and not note:
                    raise
            if mended is not None:
                request, note = mended
            else:
                sent, streams = self.request_variant.apply(messages, stream)
                request = self.unsupported_parameters.apply(self.request(sent, streams))
            if note:
                yield Note(note)

    async def _send_request(
        self, request: Request, messages: list[Message], stream: bool, timer: ResponseTimer
    ) -> AsyncIterator[Event]:
        """The events of one request, its frames decoded; `messages` are what it asks."""
        decoder = self.decoder(stream)
        frames: Any = self._decode_frames(request, stream, timer, decoder)
        surrogates = SurrogateJoiner()
        async with aclosing(frames):
            async for event in frames:
                for one in surrogates.join(event):
                    yield one
        self.has_output_limit = has_output_limit(request.body or {}) and not decoder.context_full
        for event in decoder.end(timer.has_progress):
            yield (
                replace(event, limited=self.has_output_limit) if isinstance(event, Done) else event
            )
            tokens = event.prompt_tokens if isinstance(event, Usage) else None
            if tokens and is_token_count_too_low(tokens, messages):
                yield Note(
                    f"the server may have cut the prompt: it counted {tokens} tokens, and the "
                    f"text has more words than that: {self.truncated_prompt_hint}"
                )

    async def _decode_frames(
        self, request: Request, stream: bool, timer: ResponseTimer, decoder: Decoder
    ) -> AsyncIterator[Event]:
        """The events of the frames; ends at the answer's end even if the connection does not."""
        frames: Any = self.read_frames(request, stream, timer)
        try:
            async with aclosing(frames):
                async for frame in frames:
                    spoke = False
                    for event in [frame] if isinstance(frame, Note) else decoder.read(*frame):
                        if is_output(event, timer.has_progress):
                            timer.progress()
                            spoke = True
                        else:
                            timer.pause()
                        yield event
                        timer.resume()
                    if (
                        decoder.end_claimed
                        and (left := decoder.next_frame_timeout(spoke)) is not None
                    ):
                        timer.limit_tail(left)
        except (NetworkError, IncompleteAnswer) as error:
            # A connection that is cut or left open behind the answer's end takes nothing away.
            if isinstance(error, MalformedAnswer) or not decoder.is_end_credible(
                _is_disconnect(error)
            ):
                raise

    def read_frames(
        self, request: Request, stream: bool, timer: ResponseTimer
    ) -> AsyncIterator[ParsedFrame | Note]:
        """The request's frames; what sends it is the HTTP client, unless an adapter has its own."""
        framing = self.framing() if stream else WholeBody()
        return read_frames(self.transport, request, framing, timer)

    def _new_timer(self, stream: bool) -> ResponseTimer:
        limits = self.profile.timeout
        if stream:
            return ResponseTimer(limits.first_token, limits.idle, limits.total)
        whole = limits.total or BUFFERED_TIMEOUT_SECONDS
        return ResponseTimer(whole, whole, whole)

    async def request_json(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """A small question beside the answer, e.g. the model list, as parsed JSON.

        Raises:
            EasyLLMError: as for an answer; MalformedAnswer when it is not JSON.
        """
        request = Request(method, url, self.headers(), body)
        seconds = self.metadata_timeout
        frames: Any = read_frames(
            self.transport, request, WholeBody(), ResponseTimer(seconds, seconds)
        )
        try:
            async with aclosing(frames):
                async for frame in frames:
                    if not isinstance(frame, Note):
                        return frame[0]
        except FirstTokenTimeout:
            raise FirstTokenTimeout(f"no answer from {url} within {seconds:g} s", hint="") from None
        raise MalformedAnswer(f"{url} answered with nothing", hint="check the endpoint")

    async def add_hint(self, error: EasyLLMError) -> None:
        """How to start the server, whose key was refused, which names are close to a model's."""
        if isinstance(error, AuthError) and error.status in (400, 401):
            source = find_key_source(self.profile, self.endpoint) if self.key is not None else ""
            error.hint = f"check the key from {source}" if source else self.no_key_hint
            self.key_cache.clear()  # a command's key may have expired: the next answer asks again
        if isinstance(error, NetworkError) and error.code == "refused":
            start = self.vendor.start_command
            error.hint = f"is it running? start it with: {start}" if start else self.start_hint
        told = error.status or error.hint in (ERROR_HINTS[NotFoundError], WRONG_ENDPOINT_HINT)
        asked = told and self.model and not self.models_note
        if not isinstance(error, NotFoundError) or not asked:
            return
        try:
            offered = await self.list_models()
        except EasyLLMError:
            error.hint = self.path_hint  # not even a model list: it is the path that is wrong
            return
        if offered and not any(map(self.matches_model, offered)):
            error.hint = suggest_name(self.model, offered[:50] if len(offered) > 400 else offered)
            if error.hint.startswith("known:"):
                error.hint = f"easyllm models {self.profile.cli_selector} lists what there is"

    async def aclose(self) -> None:
        if "transport" in self.__dict__:
            await self.transport.aclose()

    def refuse_unsupported(self, messages: list[Message]) -> None:
        refuse_unsupported_options(self.profile.options or {})
        super().refuse_unsupported(messages)

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        """The request for --dry-run: no key is looked up and nothing is sent."""
        self.refuse_unsupported(messages)
        self.dry_run = True
        has_key = has_key_source(self.profile, self.endpoint)
        self.key_cache = [Secret("not looked up") if has_key else None]
        return self.request(messages, stream)


def _is_disconnect(error: EasyLLMError) -> bool:
    """Whether the connection broke, and no timer rang."""
    if isinstance(error, IncompleteAnswer):
        return error.__cause__ is not None  # what broke it
    return not isinstance(error, FirstTokenTimeout)


def is_output(event: Event, started: bool) -> bool:
    """Whether it is a piece of the answer, which renews the timers: text or reasoning that is not
    empty. Reasoning that the provider keeps to itself counts once, at the beginning."""
    if isinstance(event, Text):
        return bool(event.text)
    return isinstance(event, Reasoning) and bool(event.text or (event.hidden and not started))
