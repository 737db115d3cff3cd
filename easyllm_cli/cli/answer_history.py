"""One answer and the history: the conversation it continues, and what is kept of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..config.profile import SELECTED_BY_PROFILE, Profile
from ..config.profiles_file import read_profiles
from ..config.settings import HISTORY_MODES
from ..errors import ConfigError, EasyLLMError, UsageError
from ..messages import Message
from ..render.options import is_terminal
from ..render.output import print_notice
from .options.input import ModelOptions

if TYPE_CHECKING:
    from ..history.conversation import Conversation
    from ..history.store import HistoryStore, Row
    from ..pipeline.call import Call
    from .cost import AnswerCost
    from .request import AnswerRequest

REPL = "repl"  # the command whose turns are kept with their texts
NEW_PREFIX = "new:"
MAX_NAME_CHARS = 80
MAX_TITLE_CHARS = 40  # of the conversation, in the note


class AnswerHistory:
    """Decides which conversation one answer continues, and what is kept of it.

    Nothing is imported or read for it before the answer, unless the prompt continues a
    conversation.
    """

    def __init__(self, request: AnswerRequest) -> None:
        """Find the conversation that -c or --conversation means.

        Raises:
            UsageError: there is none, or it cannot be sent again; two options exclude each other.
            ConfigError: the history is damaged. OutputError: it cannot be read.
        """
        self.request = request
        self.mode = ""  # set by `choose_mode`
        self.name = request.turn.name if request.turn else _name_of_variable()
        self.earlier: Conversation | None = None
        self._asked: Profile | None = None  # set by `choose_mode`
        self._messages: list[Message] = []  # what this call adds to the conversation
        if request.turn is not None:  # a repl holds the conversation itself
            self._messages = request.turn.added
            return
        options = request.history
        chosen = options.conversation
        if chosen is not None and chosen.startswith(NEW_PREFIX):
            if options.continues:
                raise UsageError("-c and --conversation new: do not go together", hint="choose one")
            self.name = _require_name(chosen.removeprefix(NEW_PREFIX), "--conversation")
        elif chosen is not None or options.continues:
            if request.input.messages:
                raise UsageError(
                    "--messages does not go together with -c or --conversation",
                    hint="a message list is a whole conversation",
                )
            self.earlier = _read_earlier(chosen)

    @property
    def is_wanted(self) -> bool:
        """Whether the user asked for a conversation on the command line."""
        return self.request.history.continues or self.request.history.conversation is not None

    def model_options(self) -> ModelOptions:
        """The options that select profile and model: the conversation's, unless given.

        Raises:
            UsageError: the conversation has turns, and its profile cannot be asked by name.
        """
        options, earlier = self.request.model, self.earlier
        if earlier is None or self._is_profile_given or not earlier.count:
            return options
        if earlier.profile is None:
            raise UsageError(
                "the conversation was held without a named profile", where=earlier.id,
                hint="name the profile that continues it with -p",
            )  # fmt: skip
        if earlier.auto_profile is not None and options.model is None:
            return ModelOptions(**{**vars(options), "profile": earlier.auto_profile})
        chosen = {"profile": earlier.profile, "model": options.model or earlier.model}
        return ModelOptions(**{**vars(options), **chosen})

    @property
    def _is_profile_given(self) -> bool:
        options = self.request.model
        return options.profile is not None or options.config_db is not None

    def kept_candidate(self) -> tuple[str, str | None] | None:
        """Profile and model that answered last in the conversation; None = it begins."""
        if self.request.turn is not None:
            return self.request.turn.answered_by
        earlier = self.earlier
        if earlier is None or not earlier.count or earlier.answered_by is None:
            return None
        return earlier.answered_by, earlier.answering_model

    def use_candidate(self, profile: Profile) -> None:
        """Take note of the candidate that an auto profile chose.

        Raises:
            UsageError: as `require_same_host`, where it is the one of the turns so far.
        """
        self._asked = profile
        kept = self.kept_candidate()
        if kept is not None and kept[0] == profile.name:
            self.require_same_host(profile)

    def require_same_host(self, profile: Profile) -> None:
        """Refuse to send the turns so far to another host than before, unless -p asks for it.

        Raises:
            UsageError: the conversation's profile has another endpoint now.
        """
        earlier = self.earlier
        if earlier is None or self._is_profile_given or not earlier.count:
            return
        from ..history.record import find_host

        host = find_host(profile)
        if host is not None and host != earlier.host:
            before = earlier.host or "another place"
            raise UsageError(
                f"the conversation was with {before}, and {profile.cli_selector} is now {host}",
                where=earlier.id, hint=f"{profile.cli_selector} sends its turns there",
            )  # fmt: skip

    def choose_mode(self, profiles: Sequence[Profile]) -> None:
        """Decide what will be kept: texts (full), numbers (metadata) or nothing (off).

        `profiles`: the one asked first and its fallbacks, which may be asked too: of their
        settings the one that keeps least counts.

        Raises:
            UsageError: a setting forbids the texts that a conversation needs.
            ConfigError: EASYLLM_HISTORY has another value.
        """
        self._asked = profiles[0]
        variable = os.environ.get("EASYLLM_HISTORY") or None
        if variable is not None and variable not in HISTORY_MODES:
            raise ConfigError(
                f'EASYLLM_HISTORY is "{variable[:40]}"', hint=f"use {', '.join(HISTORY_MODES)}"
            )
        found = filter(None, map(self._setting, profiles))
        setting = variable or max(found, key=HISTORY_MODES.index, default=None)
        if self.request.history.history is not None:
            self.mode = self.request.history.history
        elif self.is_wanted and setting in ("metadata", "off"):
            where = "EASYLLM_HISTORY" if variable else "the setting history"
            raise UsageError(
                f'a conversation needs its texts, and {where} is "{setting}"',
                hint="add --history full",
            )
        else:
            self.mode = setting or ("full" if self._keeps_texts_unasked else "metadata")

    @property
    def _keeps_texts_unasked(self) -> bool:
        """Whether texts are kept where no setting says so."""
        is_conversation = self.is_wanted or self.name is not None or self.request.command == REPL
        return is_conversation or is_terminal(2)

    def _setting(self, profile: Profile) -> str | None:
        """The profile's `history`; of a database row the profiles file's."""
        if profile.selected_by == SELECTED_BY_PROFILE:
            return profile.history
        try:
            return read_profiles(self.request.model.profiles).settings.history
        except ConfigError:  # nobody knows what the file says: keep nothing
            return "off"

    def continued(self, messages: list[Message]) -> list[Message]:
        """The conversation so far and then these messages; says on a terminal what it continues."""
        self._messages = messages
        if self.earlier is None:
            return messages
        from ..history.conversation import continue_conversation

        if is_terminal(2) and not self.request.common.quiet:
            print_notice(f"easyllm: {describe_continued(self.earlier)}")
        return continue_conversation(self.earlier, messages)

    def conversation(self, call: Call) -> str | None:
        """The conversation's id for --json; None where no texts are kept."""
        if self.mode != "full":
            return None
        if self.request.turn is not None:
            return self.request.turn.conversation or call.id
        return self.earlier.id if self.earlier else call.id

    def save(
        self,
        call: Call,
        exit_code: int,
        error: EasyLLMError | None = None,
        *,
        find_cost: Callable[[], AnswerCost],
    ) -> None:
        """Keep the call; a history that cannot be written costs one warning."""
        if self.mode == "off" or call.profile is None or self._is_rehearsal(call):
            return
        try:
            notes = self._save(call, exit_code, error, *find_cost())
        except EasyLLMError as failure:
            notes = [f"the answer is not kept in the history: {failure}"]
        except Exception as failure:  # the answer was given: nothing here may change the exit code
            notes = [f"the answer is not kept in the history: a bug in easyllm: {failure!r}"]
        else:
            notes = notes if self._shows_notes else []
        for note in [] if self.request.common.quiet else notes:
            print_notice(f"easyllm: {note}")

    @property
    def _shows_notes(self) -> bool:
        return is_terminal(2) and not self.request.common.quiet

    def _is_rehearsal(self, call: Call) -> bool:
        """Whether --replay answers, and no later call continues the conversation."""
        is_replay = call.recordings is not None and call.recordings.recording is not None
        return is_replay and not self.is_wanted and self.name is None

    def _save(
        self,
        call: Call,
        exit_code: int,
        error: EasyLLMError | None,
        cost_usd: float | None,
        cost_source: str | None,
    ) -> list[str]:
        from .. import history
        from ..history.record import CallContext, record_from_call
        from ..history.terminal import terminal_id

        is_full, turn = self.mode == "full", self.request.turn
        context = CallContext(
            self.request.command,
            exit_code,
            messages=self._messages,
            error=error,
            conversation=self.conversation(call),
            name=self.name,
            terminal=terminal_id() if is_full else None,
            title=turn.title if turn else " ".join(self.request.prompt_words),
            asked=self._asked,
            cost_usd=cost_usd,
            cost_source=cost_source,
        )
        retention_seconds = partial(history.retention_seconds, self.request.model.profiles)
        return history.save(
            record_from_call(call, context), retention_seconds, shows_notes=self._shows_notes
        )


def _name_of_variable() -> str | None:
    """The name in EASYLLM_CONVERSATION; None = not set. Raises UsageError if it cannot be one."""
    name = os.environ.get("EASYLLM_CONVERSATION")
    return _require_name(name, "EASYLLM_CONVERSATION") if name else None


def _require_name(name: str, where: str) -> str:
    """Return the name. Raises UsageError if it cannot be one of a conversation."""
    is_word = name.strip() and name.isprintable() and not name.startswith(NEW_PREFIX)
    if not is_word or len(name) > MAX_NAME_CHARS or name == "last":
        raise UsageError(
            f"{name[:40]!r} cannot name a conversation", where=where, hint="e.g. new:review"
        )
    return name


def _read_earlier(chosen: str | None) -> Conversation:
    """The conversation with this id or name; None = the one of this terminal.

    Raises:
        UsageError: there is none, or it cannot be sent again.
        ConfigError: the history is damaged. OutputError: it cannot be read.
    """
    from ..history import history_path
    from ..history.conversation import read_conversation
    from ..history.store import open_store

    name = chosen or _name_of_variable()
    try:
        with open_store(history_path(), create=False) as store:
            row = _find_named(store, name) if name else _find_here(store)
            return read_conversation(store, row)
    except FileNotFoundError:
        raise UsageError(
            "there is no conversation to continue: no answers are kept yet",
            hint="--conversation new:NAME begins one",
        ) from None


def _find_named(store: HistoryStore, name: str) -> Row:
    from ..history.calls import find_conversation

    try:
        return find_conversation(store, name)
    except ConfigError as error:
        hint = f"easyllm history lists the ids; --conversation new:{name[:40]} begins one"
        raise UsageError(error.message, hint=hint) from None


def _find_here(store: HistoryStore) -> Row:
    """The newest conversation of this terminal."""
    from ..history.conversation import newest_conversation
    from ..history.terminal import terminal_id

    terminal = terminal_id()
    row = newest_conversation(store, terminal, time.time()) if terminal else None
    if row is None:
        why = "this terminal has none of the last 24 hours" if terminal else "there is no terminal"
        raise UsageError(
            f"-c: which conversation? {why}",
            hint="--conversation ID; easyllm history lists the ids",
        )
    return row


def describe_continued(conversation: Conversation) -> str:
    """`continuing "Write a haiku…" (3 turns, 5 min ago)`."""
    from ..durations import format_age

    title, count = conversation.title, conversation.count
    title = title if len(title) <= MAX_TITLE_CHARS else f"{title[: MAX_TITLE_CHARS - 1]}…"
    age = f", {format_age(time.time() - conversation.last_at)}" if count else ""
    return f'continuing "{title}" ({count} turn{"s" * (count != 1)}{age})'
