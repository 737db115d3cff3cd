"""HTTPProvider: an adapter that speaks HTTP itself, as a request to build and a decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

from ..config.credentials import key_for, names_a_key, source_of
from ..config.endpoints import Endpoint, endpoint_of
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
    nearest,
)
from ..events import Done, Event, Note, Reasoning, Start, Text, Usage
from ..messages import Message
from ..secret import Secret
from ..transport import carrier_for
from ..transport.base import Carrier, Request
from ..transport.framing import Framing, Whole
from ..transport.json_frames import Parsed, exchange
from ..transport.response_errors import HINTS, WRONG_ENDPOINT
from ..transport.timeouts import Patience
from ..vendors import Vendor, vendor_of
from .base import BaseLLMProvider
from .decoder import Decoder, Surrogates
from .headers import extra_headers
from .ignored_settings import refuse_options
from .prompt_size import cannot_hold
from .reshape import Reshape
from .unsupported_parameters import Repair, has_limit

PLAIN_SECONDS = 600.0  # DESIGN §5: a plain request gets timeout.total, or this


class HTTPProvider(BaseLLMProvider):
    """Adapters write `request`, `framing`, `decoder` and, where it needs the network, `prepare`.

    `wire_names`: for each profile key that a server may refuse, its place in the body.
    """

    wire_names: ClassVar[Mapping[str, str]] = {}
    start_hint: ClassVar[str] = "is the server running?"
    cut_hint: ClassVar[str] = "ask for less at a time"  # where a prompt may have been cut
    no_key_hint: str = "no key was sent: name one with api_key_env"

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        super().__init__(profile, trust_configs=trust_configs)
        self.endpoint: Endpoint = endpoint_of(self.profile)
        self.dry = False
        self.keys: list[Secret | None] = []  # the one in use, once it has been looked up
        self.vendor: Vendor = vendor_of(self.profile.provider)
        self.repair = Repair(self.names_on_the_wire(), self.profile)
        self.reshape = Reshape(bool(self.profile.strict))
        self.limited = False  # whether the last request held a limit of the answer's length

    @abstractmethod
    def request(self, messages: list[Message], stream: bool) -> Request:
        """What is sent for one answer; no network, no key lookup but in its headers."""

    @abstractmethod
    def framing(self) -> Framing:
        """How a streamed answer is cut into frames."""

    @abstractmethod
    def decoder(self, stream: bool) -> Decoder:
        """A new decoder for one answer."""

    def for_one_answer(self) -> Self:
        """A copy with a key and, where none is named, a model of its own."""
        _ = self.carrier  # made before the copy, so that both have the one
        made = copy(self)
        if self.profile.api_key_cmd is None:  # a command may take seconds: see `explain`
            made.keys = []
        return made

    @property
    def path_hint(self) -> str:
        """What to do where the path is wrong."""
        return "check the endpoint"

    def names_on_the_wire(self) -> Mapping[str, str]:
        """`wire_names`, where they depend on the profile."""
        return self.wire_names

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """What must be asked before the request: the model, if none is named, and whether it
        sees. Gives the messages to send and notes for the user."""
        if not self.model:
            raise ConfigError(
                "no model is named",
                where=self.where,
                hint=f"add -m MODEL (easyllm models {self.profile.choice} lists them)",
            )
        return messages, []

    @property
    def key(self) -> Secret | None:
        """The key for this endpoint. Raises AuthError or ConfigError as `key_for`."""
        if not self.keys:
            self.keys.append(key_for(self.profile, self.endpoint))
        return self.keys[0]

    @cached_property
    def carrier(self) -> Carrier:
        """What takes requests to the endpoint. Raises ConfigError as `carrier_for`."""
        return carrier_for(self.profile, self.endpoint, self.sdk)

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
        return extra_headers(self.profile, self.endpoint, self.dry)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """One attempt; a request refused for one parameter is sent once more without it, one
        refused for its form in the other form."""
        messages, notes = await self.prepare(messages)
        for note in notes:
            yield Note(note)
        yield Start(self.profile.provider or self.provider, self.model, self.profile.name)
        sent, streams = self.reshape.known(messages, stream)
        request = self.repair.known(self.request(sent, streams))
        while True:
            patience = self._patience(streams)
            try:
                answer: Any = self._answer(request, sent, streams, patience)
                async with aclosing(answer):
                    async for event in answer:
                        yield event
                return
            except EasyLLMError as error:
                if patience.started:
                    raise
                note = self.reshape.learn(error, sent, streams)
                mended = None if note else self.repair.mended(request, error)
                if mended is None and not note:
                    raise
            if mended is not None:
                request, note = mended
            else:
                sent, streams = self.reshape.known(messages, stream)
                request = self.repair.known(self.request(sent, streams))
            if note:
                yield Note(note)

    async def _answer(
        self, request: Request, messages: list[Message], stream: bool, patience: Patience
    ) -> AsyncIterator[Event]:
        """The events of one request, its frames decoded; `messages` are what it asks."""
        decoder = self.decoder(stream)
        frames: Any = self._frames(request, stream, patience, decoder)
        surrogates = Surrogates()
        async with aclosing(frames):
            async for event in frames:
                for one in surrogates.whole(event):
                    yield one
        self.limited = has_limit(request.body or {}) and not decoder.context_full
        for event in decoder.end(patience.started):
            yield replace(event, limited=self.limited) if isinstance(event, Done) else event
            tokens = event.prompt_tokens if isinstance(event, Usage) else None
            if tokens and cannot_hold(tokens, messages):
                yield Note(
                    f"the server may have cut the prompt: it counted {tokens} tokens, and the "
                    f"text has more words than that: {self.cut_hint}"
                )

    async def _frames(
        self, request: Request, stream: bool, patience: Patience, decoder: Decoder
    ) -> AsyncIterator[Event]:
        """The events of the frames; ends at the answer's end even if the connection does not."""
        frames: Any = self.parsed(request, stream, patience)
        try:
            async with aclosing(frames):
                async for frame in frames:
                    spoke = False
                    for event in [frame] if isinstance(frame, Note) else decoder.read(*frame):
                        if is_token(event, patience.started):
                            patience.token()
                            spoke = True
                        else:
                            patience.hand_over()
                        yield event
                        patience.taken()
                    if decoder.ended and (left := decoder.seconds_left(spoke)) is not None:
                        patience.closing(left)
        except (NetworkError, IncompleteAnswer) as error:
            # A connection that is cut or left open behind the answer's end takes nothing away.
            if isinstance(error, MalformedAnswer) or not decoder.stands(_is_cut(error)):
                raise

    def parsed(
        self, request: Request, stream: bool, patience: Patience
    ) -> AsyncIterator[Parsed | Note]:
        """The request's frames; what sends it is the HTTP client, unless an adapter has its own."""
        framing = self.framing() if stream else Whole()
        return exchange(self.carrier, request, framing, patience)

    def _patience(self, stream: bool) -> Patience:
        limits = self.profile.timeout
        if stream:
            return Patience(limits.first_token, limits.idle, limits.total)
        whole = limits.total or PLAIN_SECONDS
        return Patience(whole, whole, whole)

    async def ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """A small question beside the answer, e.g. the model list, as parsed JSON.

        Raises:
            EasyLLMError: as for an answer; MalformedAnswer when it is not JSON.
        """
        request = Request(method, url, self.headers(), body)
        seconds = self.look_seconds
        frames: Any = exchange(self.carrier, request, Whole(), Patience(seconds, seconds))
        try:
            async with aclosing(frames):
                async for frame in frames:
                    if not isinstance(frame, Note):
                        return frame[0]
        except FirstTokenTimeout:
            raise FirstTokenTimeout(f"no answer from {url} within {seconds:g} s", hint="") from None
        raise MalformedAnswer(f"{url} answered with nothing", hint="check the endpoint")

    async def explain(self, error: EasyLLMError) -> None:
        """How to start the server, whose key was refused, which names are close to a model's."""
        if isinstance(error, AuthError) and error.status in (400, 401):
            source = source_of(self.profile, self.endpoint) if self.key is not None else ""
            error.hint = f"check the key from {source}" if source else self.no_key_hint
            self.keys.clear()  # a command's key may have run out: the next answer asks it again
        if isinstance(error, NetworkError) and error.code == "refused":
            start = self.vendor.start
            error.hint = f"is it running? start it with: {start}" if start else self.start_hint
        told = error.status or error.hint in (HINTS[NotFoundError], WRONG_ENDPOINT)
        asked = told and self.model and not self.models_note
        if not isinstance(error, NotFoundError) or not asked:
            return
        try:
            offered = await self.list_models()
        except EasyLLMError:
            error.hint = self.path_hint  # not even a model list: it is the path that is wrong
            return
        if offered and not any(map(self.is_mine, offered)):
            error.hint = nearest(self.model, offered[:50] if len(offered) > 400 else offered)
            if error.hint.startswith("known:"):
                error.hint = f"easyllm models {self.profile.choice} lists what there is"

    async def aclose(self) -> None:
        if "carrier" in self.__dict__:
            await self.carrier.aclose()

    def refuse_what_is_lost(self, messages: list[Message]) -> None:
        refuse_options(self.profile.options or {})
        super().refuse_what_is_lost(messages)

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        """The request for --dry-run: no key is looked up and nothing is sent."""
        self.refuse_what_is_lost(messages)
        self.dry = True
        has_key = names_a_key(self.profile, self.endpoint)
        self.keys = [Secret("not looked up") if has_key else None]
        return self.request(messages, stream)


def _is_cut(error: EasyLLMError) -> bool:
    """Whether the connection broke, and no timer rang."""
    if isinstance(error, IncompleteAnswer):
        return error.__cause__ is not None  # what broke it
    return not isinstance(error, FirstTokenTimeout)


def is_token(event: Event, started: bool) -> bool:
    """Whether it is a piece of the answer, which renews the timers: text or reasoning that is not
    empty. Reasoning that the provider keeps to itself counts once, at the beginning."""
    if isinstance(event, Text):
        return bool(event.text)
    return isinstance(event, Reasoning) and bool(event.text or (event.hidden and not started))
