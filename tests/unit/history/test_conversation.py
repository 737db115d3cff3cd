"""Which conversation -c means, and which messages its next call sends."""

import time

import pytest

from easyllm_cli import history
from easyllm_cli.errors import ConfigError, IncompleteAnswer, UsageError
from easyllm_cli.history.calls import find_call, find_conversation
from easyllm_cli.history.conversation import (
    Conversation,
    continue_conversation,
    newest_conversation,
    read_conversation,
)
from easyllm_cli.history.store import HistoryStore, open_store
from easyllm_cli.messages import Message
from tests.support.history import save

A, B, C = "0aaaaaaaaaaaaaaa", "0bbbbbbbbbbbbbbb", "0ccccccccccccccc"


def opened() -> HistoryStore:
    return open_store(history.history_path(), create=False)


def continued(id: str) -> Conversation:
    with opened() as store:
        return read_conversation(store, find_conversation(store, id))


def newest(terminal: str) -> str | None:
    with opened() as store:
        row = newest_conversation(store, terminal, time.time())
    return row["id"] if row else None


def test_hist_8_each_terminal_has_its_own_newest_conversation() -> None:
    save(id=A, terminal="1")
    save(id=B, terminal="2")
    assert [newest("1"), newest("2"), newest("3")] == [A, B, None]
    save(id=C, conversation=A, terminal="2")  # --conversation A in the other terminal
    assert [newest("1"), newest("2")] == [A, A]


def test_a_failed_or_an_old_call_is_not_the_newest() -> None:
    save(id=A, terminal="1")
    save(id=B, terminal="1", exit_code=7, error=IncompleteAnswer("cut"))
    assert newest("1") == A
    save(id=C, terminal="2", started_at=time.time() - 24 * 3600 - 5)
    assert newest("2") is None


def test_hist_9_the_turns_are_the_calls_that_succeeded_without_reasoning() -> None:
    save("One?", "Ane.\n", id=A, reasoning="Hm.")
    save("Two?", "Tw", id=B, conversation=A, exit_code=7, error=IncompleteAnswer("cut"))
    save("Three?", "Three.", id=C, conversation=A)
    conversation = continued(A)
    assert [(each.role, each.text) for each in conversation.messages] == [
        ("user", "One?"), ("assistant", "Ane.\n"), ("user", "Three?"), ("assistant", "Three."),
    ]  # fmt: skip
    assert (conversation.count, conversation.title) == (2, "One?")
    assert (conversation.profile, conversation.model) == ("t", "m")


def test_the_system_prompt_is_the_conversations_unless_another_is_given() -> None:
    system, prompt = Message("system", ("Brief.",)), Message("user", ("One?",))
    save("One?", "One.", id=A, messages=[system, prompt])
    turns = [prompt, Message("assistant", ("One.",))]
    two, other = Message("user", ("Two?",)), Message("system", ("Long.",))
    assert continue_conversation(continued(A), [two]) == [system, *turns, two]
    assert continue_conversation(continued(A), [other, two]) == [other, *turns, two]


def test_system_messages_of_a_list_stay_where_they_are() -> None:
    messages = [
        Message("system", ("A",)), Message("user", ("One?",)),
        Message("system", ("B",)), Message("user", ("Two?",)),
    ]  # fmt: skip
    save(text="Three.", id=A, messages=messages)
    end = [Message("assistant", ("Three.",)), Message("user", ("Four?",))]
    assert continue_conversation(continued(A), end[1:]) == [*messages, *end]


def test_a_turn_that_is_not_kept_whole_is_refused() -> None:
    save("x" * 300_000, id=A)
    with pytest.raises(UsageError, match="too long to be kept whole"):
        continued(A)


def test_a_name_means_its_newest_conversation() -> None:
    save(id=A, name="work", started_at=1.0)
    save(id=B, name="work", started_at=2.0)
    with opened() as store:
        assert find_conversation(store, "work")["id"] == B
        assert find_conversation(store, "last")["id"] == B
        assert find_conversation(store, "0aaa")["id"] == A


def test_the_last_one_is_the_one_kept_last_though_the_clock_was_set_back() -> None:
    save(id=A, started_at=2.0)
    save(id=B, started_at=1.0)
    with opened() as store:
        assert find_call(store, "last")["id"] == B
        assert find_conversation(store, "last")["id"] == B


def test_ids_may_be_abbreviated() -> None:
    save(id=A, started_at=1.0)
    save(id="0aaaaaaaaaaaaaab", started_at=2.0)
    with opened() as store:
        assert find_call(store, A)["id"] == A
        assert find_call(store, "last")["id"] == "0aaaaaaaaaaaaaab"
        for wrong, message in {
            "0aaa": "several", "0aa": "no call", "zzzz": "no call", "*": "no call", "0?aa*": "no",
        }.items():  # fmt: skip
            with pytest.raises(ConfigError, match=message):
                find_call(store, wrong)
