"""The turns of a repl in memory: what is sent, and what the history is given."""

import pytest

from easyllm_cli.cli.repl.transcript import Transcript
from easyllm_cli.errors import UsageError
from easyllm_cli.messages import Message

A, B, C = (Message("user", (text,)) for text in "abc")
ONE, TWO = (Message("assistant", (text,)) for text in ("One", "Two"))
KEPT = Transcript().answered(A, "One", "id").answered(B, "Two", "id")


def test_a_kept_turn_is_sent_and_not_added_again() -> None:
    assert KEPT.to_send(C, None) == [A, ONE, B, TWO, C]
    assert KEPT.to_add(C) == [C]
    assert (KEPT.conversation, KEPT.count) == ("id", 2)


def test_a_system_prompt_replaces_that_of_a_message_list() -> None:
    listed = Transcript([Message("system", ("old",)), A, ONE], "id", 3)
    assert listed.to_send(B, None)[0].text == "old"
    assert listed.to_send(B, "new") == [Message("system", ("new",)), A, ONE, B]


@pytest.mark.parametrize(
    ("changed", "messages"),
    [(KEPT.forked(), [A, ONE, B, TWO]), (KEPT.without_last(), [A, ONE])],
    ids=["fork", "undo"],
)
def test_a_changed_conversation_is_a_new_one_with_all_its_turns(
    changed: Transcript, messages: list[Message]
) -> None:
    assert changed.conversation is None
    assert changed.to_send(C, None) == changed.to_add(C) == [*messages, C]
    after = changed.answered(C, "Three", "new")
    assert (after.conversation, after.to_add(A)) == ("new", [A])


def test_turns_are_added_until_one_ends_well() -> None:
    failed = KEPT.forked().failed("new")
    assert failed.conversation == "new"
    assert failed.to_add(C) == [A, ONE, B, TWO, C]


def test_what_the_history_did_not_keep_is_added_later() -> None:
    in_memory = Transcript().answered(A, "One", None)
    assert in_memory.to_add(B) == [A, ONE, B]
    assert in_memory.answered(B, "Two", "id").to_add(C) == [C]


def test_without_a_turn_nothing_can_be_dropped() -> None:
    for transcript in (Transcript(), KEPT.without_last().without_last()):
        with pytest.raises(UsageError, match="no turn"):
            transcript.without_last()
