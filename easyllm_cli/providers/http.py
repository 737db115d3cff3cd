"""Base class of HTTP providers: sends an adapter's request and decodes the response frames."""

from __future__ import annotations

from abc import abstractmethod
from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from copy import copy
from typing import Any, ClassVar, Self

from ..config.credentials import find_key_source, has_key_source, resolve_api_key
from ..config.endpoints import Endpoint, is_loopback, resolve_endpoint
from ..config.profile import Profile
from ..errors import (
    AuthError,
    ConfigError,
    EasyLLMError,
    FirstTokenTimeout,
    MalformedAnswer,
    NetworkError,
    NotFoundError,
    suggest_name,
)
from ..events import Done, Event, Note, RoutineNote, Start, Usage
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
from .decoder import Decoder, SurrogateJoiner, is_output
from .headers import extra_headers, with_key_header
from .ignored_settings import refuse_unsupported_options
from .prompt_size import is_token_count_too_low
from .request_key import request_to_key
from .request_variant import RequestVariant
from .unsupported_parameters import UnsupportedParameters, has_output_limit

MAX_REPAIRS = 20  # changed requests of one attempt: more than there are parameters to leave out
BUFFERED_TIMEOUT_SECONDS = 600.0  # for a buffered request without timeout.total


class HTTPProvider(BaseLLMProvider):
    """Base class for adapters that build an HTTP request and decode its response.

    Adapters implement `request`, `framing`, `decoder`, and `prepare` for requests that must come
    first. `parameter_paths`: for each setting that a server may refuse, its path in the body.
    """

    starts_before_request: ClassVar[bool] = True
    parameter_paths: ClassVar[Mapping[str, str]] = {}
    start_hint: ClassVar[str] = "is the server running?"
    # If the server may have truncated the prompt.
    truncated_prompt_hint: ClassVar[str] = "shorten the prompt"
    no_key_hint: str = "no key was sent: set api_key_env in the profile"

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        super().__init__(profile, trust_configs=trust_configs)
        self.endpoint: Endpoint = resolve_endpoint(self.profile)
        self.dry_run = False
        self.key_cache: list[Secret | None] = []  # empty = not looked up yet
        self.transports: list[Transport] = []  # empty = not made yet; the copies share the list
        self.vendor: Vendor = get_vendor(self.profile.provider)
        self.models_note = self.vendor.models_note or self.models_note
        self.unsupported_parameters = UnsupportedParameters(
            self.resolve_parameter_paths(), self.profile
        )
        self.request_variant = RequestVariant(self.profile)
        self.routine_notes: tuple[str, ...] = ()  # notes of `prepare` that come with every answer
        self._response_headers: Mapping[str, str] = {}  # of the last response
        self.has_output_limit = False  # whether the last request limited the length of the answer

    @abstractmethod
    def request(self, messages: list[Message], stream: bool) -> Request:
        """Build the request for one answer, without network. Only `headers` looks up the key."""

    @abstractmethod
    def framing(self) -> Framing:
        """How a streamed body is split into frames."""

    @abstractmethod
    def decoder(self, stream: bool) -> Decoder:
        """A new decoder for one response."""

    def limit_output(self, tokens: int | None) -> None:
        self.output_limit = tokens

    def supported_defaults(self) -> dict[str, Any]:
        """The default sampling settings that the model is not known to refuse."""
        return self.profile.defaults()

    def sampling_with_defaults(self) -> dict[str, Any]:
        """The sampling settings to send, by their names in a profile."""
        settings = {**self.supported_defaults(), **self.profile.sampling()}
        if self.output_limit is not None and self.profile.output_limit() is None:
            settings["max_tokens"] = self.output_limit
        return settings

    def per_answer_copy(self) -> Self:
        """A copy with its own key and model, which shares the transport."""
        provider = super().per_answer_copy()
        # A command may take seconds, and a profile's own key stays: `add_hint` clears the key.
        if self.profile.api_key_cmd is None and self.profile.api_key is None:
            provider.key_cache = []
        return provider

    @property
    def path_hint(self) -> str:
        """The hint for a 404 that may be a wrong path."""
        return "check the endpoint"

    def resolve_parameter_paths(self) -> Mapping[str, str]:
        """`parameter_paths`; adapters override it if they depend on the profile."""
        return self.parameter_paths

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """Do what must come before the request, e.g. choose a model or check for vision.

        Returns the messages to send and notes for the user.
        Raises:
            ConfigError: the profile has no model.
        """
        if not self.model:
            names = f"easyllm models {self.profile.cli_selector} lists them"
            raise ConfigError(
                "no model is named",
                where=self.where,
                hint=f"add -m MODEL ({self.vendor.models_note or names})",
            )
        return messages, []

    async def choose_first_model(self) -> list[str]:
        """Choose the first model that a server on this machine offers, if none is named.

        Returns a note that names it if the server offers several.
        Raises:
            EasyLLMError: the model list cannot be read.
        """
        if self.model or not is_loopback(self.endpoint.url):
            return []
        model_ids = await self.list_models()
        self.model = model_ids[0] if model_ids else ""
        if len(model_ids) > 1:
            self.routine_notes = (f"model {self.model}: the first one the server offers",)
        return [*self.routine_notes]

    @property
    def key(self) -> Secret | None:
        """The API key for this endpoint; None = none. Raises as `resolve_api_key`."""
        if not self.key_cache:
            self.key_cache.append(resolve_api_key(self.profile, self.endpoint))
        return self.key_cache[0]

    @property
    def transport(self) -> Transport:
        """The transport to the endpoint. Raises ConfigError as `transport_for`."""
        if not self.transports:  # an answer from a recording needs none
            self.transports.append(transport_for(self.profile, self.endpoint, self.sdk))
        return self.transports[0]

    @property
    def where(self) -> str:
        return f"{super().where}, {self.endpoint.url}"

    def headers(self) -> dict[str, str | Secret]:
        """The header of the key, unless the profile has one of its own, and the profile's."""
        return with_key_header(self.key_header, self.key, self.extra_headers())

    @property
    def key_header(self) -> str:
        """The name of the key's header: the vendor's at its own hosts, else Authorization."""
        is_vendors = self.vendor.has_host(self.endpoint.host) or (
            self.vendor.keeps_key_header and self.endpoint.variable != ""
        )
        return self.vendor.key_header if is_vendors else "Authorization"

    def extra_headers(self) -> dict[str, str | Secret]:
        """The profile's `headers`; a value `env:NAME` is read from that variable, as a Secret."""
        return extra_headers(self.profile, self.endpoint, self.dry_run)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """Run one attempt.

        A refused request is sent again without the refused parameter, or in another form.
        """
        repairs = 0
        messages, notes = await self.prepare(messages)
        for note in notes:
            yield RoutineNote(note) if note in self.routine_notes else Note(note)
        yield Start(self.profile.provider or self.provider, self.model, self.profile.name)
        sent, sent_stream = self.request_variant.apply(messages, stream)
        request = self.unsupported_parameters.apply(self.request(sent, sent_stream))
        while True:
            if self.output_limit is not None:
                self._require_output_limit(request, self.output_limit)
            timer = self._new_timer(sent_stream)
            try:
                events: Any = self.send_request(request, sent, sent_stream, timer)
                async with aclosing(events):
                    async for event in events:
                        yield event
                return
            except EasyLLMError as error:
                repairs += 1
                if timer.has_progress or repairs > MAX_REPAIRS:
                    raise
                note = self.request_variant.learn(error, sent, sent_stream)
                changed = None if note else self.repair(request, error)
                if changed is None and not note:
                    raise
            if changed is not None:
                request, note = changed
            else:
                sent, sent_stream = self.request_variant.apply(messages, stream)
                request = self.unsupported_parameters.apply(self.request(sent, sent_stream))
            if note:
                yield Note(note)
            async with aclosing(self.wait_to_repeat()) as waits:
                async for wait in waits:
                    yield wait

    def repair(self, request: Request, error: EasyLLMError) -> tuple[Request, str] | None:
        """The request to send after this error and a note ("" = none); None = none can help."""
        return self.unsupported_parameters.retry_without(
            request, error, keeps_limit=self.output_limit is not None
        )

    def _require_output_limit(self, request: Request, limit: int) -> None:
        from .output_limit import require_output_limit  # only a budget needs it

        name = self.resolve_parameter_paths().get("max_tokens", "max_tokens")
        require_output_limit(request.body or {}, name, limit, self.where)

    def limits_output(self, request: Request) -> bool:
        """Whether the user has limited the answer's length; `send_defaults` and a budget do not."""
        return self.profile.output_limit() is not None and has_output_limit(request.body or {})

    async def send_request(
        self, request: Request, messages: list[Message], stream: bool, timer: ResponseTimer
    ) -> AsyncIterator[Event]:
        """Send one request and yield the decoded events. `messages`: those in the request.

        Stops at the answer's end even if the connection stays open.
        """
        decoder, surrogates = self.decoder(stream), SurrogateJoiner()
        frames: Any = self.read_frames(request, stream, timer)
        try:
            async with aclosing(frames):
                async for frame in frames:
                    had_output = False
                    for event in [frame] if isinstance(frame, Note) else decoder.read(*frame):
                        if is_output(event, timer.has_progress):
                            timer.progress()
                            had_output = True
                        else:
                            timer.pause()
                        for joined in surrogates.join(event):
                            yield joined
                        timer.resume()
                    if (decoder.end_claimed or decoder.end_marker_seen) and (
                        seconds := decoder.next_frame_timeout(had_output)
                    ) is not None:
                        timer.limit_tail(seconds)
        except CancelledError as cancelled:
            cancelled.usage = decoder.usage  # type: ignore[attr-defined]
            raise
        except EasyLLMError as error:
            if not decoder.may_ignore(error):
                if decoder.usage is not None:
                    yield decoder.usage  # the tokens of a failed attempt are paid for, too
                raise
        for event in self._final_events(decoder, request, messages, timer.has_progress):
            yield event

    def _final_events(
        self, decoder: Decoder, request: Request, messages: list[Message], has_output: bool
    ) -> Iterator[Event]:
        """The events after the last frame."""
        self.has_output_limit = has_output_limit(request.body or {}) and not decoder.context_full
        limited = self.limits_output(request) and not decoder.context_full
        for event in decoder.end(has_output):
            if isinstance(event, Done):
                event = Done(event.finish_reason, event.complete, event.response, limited)
            yield event
            tokens = event.prompt_tokens if isinstance(event, Usage) else None
            if tokens and is_token_count_too_low(tokens, messages):
                yield Note(
                    f"the server may have cut the prompt: it counted {tokens} tokens, and the "
                    f"text has more words than that: {self.truncated_prompt_hint}"
                )

    def read_frames(
        self, request: Request, stream: bool, timer: ResponseTimer
    ) -> AsyncIterator[ParsedFrame | Note]:
        """Send the request and yield its parsed frames. An adapter may send it in its own way."""
        framing = self.framing() if stream else WholeBody()
        return read_frames(self.transport, request, framing, timer, self._keep_headers)

    def _keep_headers(self, headers: Mapping[str, str]) -> None:
        self._response_headers = headers

    @property
    def rate_limit_headers(self) -> Mapping[str, str]:
        from ..transport.retry_after import rate_limit_headers  # only who asks needs it

        return rate_limit_headers(self._response_headers)

    def limit_scope(self) -> tuple[str, Secret | None]:
        return (self.endpoint.url, self.key) if self.endpoint.url else super().limit_scope()

    def _new_timer(self, stream: bool) -> ResponseTimer:
        limits = self.profile.timeout
        if stream:
            return ResponseTimer(limits.first_token, limits.idle, limits.total)
        whole = limits.total or BUFFERED_TIMEOUT_SECONDS
        return ResponseTimer(whole, whole, whole)

    async def request_json(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """Send a metadata request, e.g. for the model list, and return the parsed JSON.

        The time limit is `metadata_timeout` seconds.
        Raises:
            EasyLLMError: as for an answer; MalformedAnswer if the body is empty or not JSON.
        """
        request = Request(method, url, self.headers(), body)
        seconds = self.metadata_timeout
        frames: Any = read_frames(
            self.transport, request, WholeBody(), ResponseTimer(seconds, seconds),
            self._keep_headers,
        )  # fmt: skip
        try:
            async with aclosing(frames):
                async for frame in frames:
                    if not isinstance(frame, Note):
                        return frame[0]
        except FirstTokenTimeout:
            raise FirstTokenTimeout(f"no answer from {url} within {seconds:g} s", hint="") from None
        raise MalformedAnswer(f"{url} sent an empty body", hint="check the endpoint")

    async def add_hint(self, error: EasyLLMError) -> None:
        """Set a hint: how to start the server, which key was refused, or similar model names."""
        if isinstance(error, AuthError) and error.status in (400, 401):
            source = find_key_source(self.profile, self.endpoint) if self.key is not None else ""
            error.hint = f"check the key from {source}" if source else self.no_key_hint
            self.key_cache.clear()  # a key from a command may have expired: run it again next time
        if isinstance(error, NetworkError) and error.code == "refused":
            command = self.vendor.start_command
            error.hint = f"is it running? start it with: {command}" if command else self.start_hint
        hints = (ERROR_HINTS[NotFoundError], WRONG_ENDPOINT_HINT)
        from_server = error.status or error.hint in hints
        may_be_model = from_server and self.model and not self.models_note
        if isinstance(error, NotFoundError) and from_server and self.vendor.models_note:
            error.hint = self.vendor.models_note
        if not isinstance(error, NotFoundError) or not may_be_model:
            return
        try:
            offered = await self.list_models()
        except EasyLLMError:
            error.hint = self.path_hint  # there is no model list either, so the path is wrong
            return
        if offered and not any(map(self.matches_model, offered)):
            error.hint = suggest_name(self.model, offered[:50] if len(offered) > 400 else offered)
            if error.hint.startswith("known:"):
                from ..config.model_names import elsewhere_hint  # used after errors only

                elsewhere = elsewhere_hint(self.model, self.profile.provider)
                error.hint = f"easyllm models {self.profile.cli_selector} lists the models"
                error.hint += elsewhere

    async def aclose(self) -> None:
        for transport in self.transports:
            await transport.aclose()

    def refuse_unsupported(self, messages: list[Message]) -> None:
        refuse_unsupported_options(self.profile.options or {})
        super().refuse_unsupported(messages)

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        """Build the request for --dry-run: looks up no key and sends nothing."""
        self.refuse_unsupported(messages)
        self.dry_run = True
        self.request_variant = RequestVariant(self.profile)  # with nothing learned of the server
        has_key = has_key_source(self.profile, self.endpoint)
        self.key_cache = [Secret("-") if has_key else None]  # too short to be masked in texts
        return self.request(messages, stream)

    def request_key(self, messages: list[Message]) -> dict[str, Any]:
        """What is sent, but for the headers: method, URL, body without `stream`."""
        return request_to_key(copy(self).dry_request(messages, stream=True))
