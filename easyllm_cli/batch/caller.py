"""BatchCaller: asks a model for every row of a batch in memory, e.g. in Ray Data's map_batches."""

from __future__ import annotations

import asyncio
import re
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from ..completion import Completion
from ..config.profile import Profile, validate_setting
from ..config.profile_loading import resolve_configs
from ..errors import ConfigError
from ..pipeline.acceptance import check_acceptable
from ..secret import SENSITIVE_NAME
from .asking import RowAsker, choose_transport
from .columns import answer_columns, read_columns
from .loop_thread import LoopThread
from .paced_asking import PacedAsker
from .pacing import Pacing
from .rows import Row

_starting = threading.Lock()  # a lock of the object's own could not be pickled


class BatchCaller:
    """A callable that asks for every row of a batch, many at once, and adds the answers' columns.

    A batch is a dict of columns (lists or arrays). The result has these columns, too: `text`,
    `reasoning`, `finish_reason` (str), `complete` (bool), `error_kind`, `error_message` (str),
    `prompt_tokens`, `completion_tokens` (int) and `cost_usd` (float, US dollars); None = there is
    no such value. A row that failed has an `error_kind`, which is the `kind` of an EasyLLMError,
    and in `text` what had arrived. An answer that is not complete is such a row, but for one that
    ended at your own `max_tokens`, whose `complete` is False.

    `profile`: a profile's name (never one from somebody else), which is looked up where the rows
    are asked, or a config as in LLMService. `concurrency`: the most requests in flight, at most the
    profile's own. `rpm`, `tpm`: requests and tokens a minute, for all processes of one user on one
    machine together; None = the profile's. `prompt`: the column with prompts. `messages`: the
    column with lists of messages; it comes first where a row has both.

    It pickles as its arguments, without connections, and never with a key. It may be called from
    several threads; it has one event loop, in a thread that starts with the first call.
    """

    def __init__(
        self,
        profile: str | Profile | Mapping[str, Any],
        *,
        concurrency: int = 32,
        rpm: int | None = None,
        tpm: int | None = None,
        prompt: str = "prompt",
        messages: str = "messages",
    ) -> None:
        """Raises ConfigError if a value is wrong; a name is not looked up before the first call."""
        self.profile = profile if isinstance(profile, str) else Profile.from_config(profile)
        self.concurrency: int = validate_setting("concurrency", concurrency)
        self.rpm = None if rpm is None else validate_setting("rpm", rpm)
        self.tpm = None if tpm is None else validate_setting("tpm", tpm)
        self.prompt = prompt
        self.messages = messages
        self._session: _Session | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for every row; returns the batch's columns and those of the answers.

        Raises:
            ConfigError: the profile cannot be used, or the batch's columns cannot.
            AuthError: the key is missing or refused. No other error of a row is raised.
        """
        future = self._submit(batch)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: nothing more is sent or paid
            raise

    async def acall(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """As calling it, for a program with an event loop. Cancelling it cancels the requests."""
        return await asyncio.wrap_future(self._submit(batch))

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the connections. Raises ConfigError if the profile holds a key."""
        if isinstance(self.profile, Profile) and _holds_key(self.profile):
            raise ConfigError(
                "the profile holds a key, which would be sent with the job",
                hint="give a profile's name, or api_key_env: the workers read the key themselves",
            )
        return {**vars(self), "_session": None}

    def _submit(self, batch: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Start asking in the other thread. Raises ConfigError."""
        rows = read_columns(batch, self.prompt, self.messages)
        with _starting:
            if self._session is None or not self._session.thread.is_of_this_process:
                self._session = _Session(self._resolve_profiles(), self.concurrency)
                weakref.finalize(self, self._session.thread.close)
            session = self._session
        return session.thread.submit(session.answer(batch, rows))

    def _resolve_profiles(self) -> list[Profile]:
        """The profile and its fallbacks. Raises ConfigError."""
        profiles = resolve_configs(self.profile, None)
        if profiles[0].transport == "sdk":
            raise ConfigError(
                'transport = "sdk" is not for batches', where=f"profile {profiles[0].name}",
                hint="leave transport out of the profile",
            )  # fmt: skip
        limits = {"rpm": self.rpm, "tpm": self.tpm}
        return [choose_transport(each.replace_set(**limits)) for each in profiles]


class _Session:
    """The connections of a caller in this process, and the thread in which rows are asked."""

    def __init__(self, profiles: Sequence[Profile], concurrency: int) -> None:
        """Raises ConfigError if a profile is not valid."""
        first = profiles[0]
        asker = RowAsker(first, profiles[1:], _accept)
        most = min(concurrency, first.concurrency or concurrency)
        backoff = first.initial_retry_delay, first.max_retry_delay
        self._asker = PacedAsker(asker, Pacing(most, backoff))
        self.thread = LoopThread()

    async def answer(self, batch: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
        return {**batch, **answer_columns(await self._asker.ask_all(rows))}


def _accept(answer: Completion, limited: bool, answer_format: Any) -> str:
    """Accept or reject the answer of a row, as `easyllm batch` does."""
    return check_acceptable(answer, limited, "auto", answer_format)


def _holds_key(profile: Profile) -> bool:
    """Whether the profile itself holds a key or a password, not only where one is found."""
    headers = (profile.headers or {}).items()
    return (
        profile.api_key is not None
        or "@" in (profile.proxy or "")
        or any(
            re.search(SENSITIVE_NAME, name) and not value.startswith("env:")
            for name, value in headers
        )
    )
