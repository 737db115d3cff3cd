"""The row of a call: what it holds, what it never holds, and the messages made of it again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from easyllm_cli import history
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import IncompleteAnswer, UsageError
from easyllm_cli.events import Usage
from easyllm_cli.history.images import image_row, read_again
from easyllm_cli.history.record import (
    CallContext,
    messages_from_row,
    record_from_call,
    shorten,
)
from easyllm_cli.images import Image
from easyllm_cli.messages import CachedText, Message
from easyllm_cli.secret import Secret
from tests.support.history import finished_call, record, save
from tests.support.images import gif_1x1, png

KEY = "sk-proj-abcdefghijklmnop"


def test_hist_3_no_key_is_in_the_file() -> None:
    profile = Profile(
        name="t", provider="openai", endpoint="https://proxy.example/v1", api_key=Secret(KEY),
        headers={"X-Team": "header-value"}, api_key_env="SECRET_VARIABLE",
        options={"extra": "option-value"},
    )  # fmt: skip
    image = Image.of("https://anna:pass-word@images.example/a.png?signature=query-value")
    error = IncompleteAnswer(f"cut after {KEY}")
    save(
        f"my key is {KEY}", f"{KEY} is a key", reasoning=KEY, error=error, exit_code=7,
        messages=[Message("user", (f"my key is {KEY}", image))], profile=profile, title=KEY,
    )  # fmt: skip
    data = history.history_path().read_bytes()
    absent = ["header-value", "SECRET_VARIABLE", "option-value", "query-value", "anna", "pass-word"]
    for text in [KEY, *absent]:
        assert text.encode() not in data
    assert b"my key is ***" in data
    assert b"proxy.example" in data


@pytest.mark.parametrize("conversation", ["0aaaaaaaaaaaaaaa", None])
def test_hist_3_no_key_is_in_a_word_that_the_server_sent(conversation: str | None) -> None:
    secret = Secret(KEY)
    save(
        profile=Profile(name="t", provider="openai", api_key=secret), conversation=conversation,
        finish_reason=f"{KEY}\ud800", answered_by=f"m-{KEY[:12]}",
    )  # fmt: skip
    data = history.history_path().read_bytes()
    assert KEY[:12].encode() not in data
    assert b"***?" in data
    assert b"m-***" in data


def test_hist_13_bytes_of_images_are_not_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "red.png"
    file.write_bytes(png(32, 32, (255, 0, 0)))
    save(messages=[Message("user", ("What?", Image.of(file)))])
    data = history.history_path().read_bytes()
    assert file.read_bytes()[8:] not in data
    assert b"IHDR" not in data
    assert str(file).encode() in data


def test_without_a_conversation_no_text_is_kept() -> None:
    profile = Profile(name="t", provider="ollama", system="Be brief.", stop=["END"])
    rows = record(
        "What?", "This.", reasoning="Hm.", conversation=None, profile=profile, terminal="1:2:3",
        error=IncompleteAnswer("the server said: What?"), exit_code=7,
        messages=[Message("user", ("What?", Image.of(gif_1x1())))],
    )  # fmt: skip
    assert (rows.images, rows.conversation) == ((), None)
    values = " ".join(map(str, rows.call.values()))
    for text in ("What?", "This.", "Hm.", "brief", "END", "1:2:3"):
        assert text not in values
    assert rows.call["error_kind"] == "incomplete"
    assert rows.call["prompt_tokens"] == 12


def test_hist_10_a_cut_answer_is_kept_with_its_exit_code() -> None:
    call = record(text="Hel", error=IncompleteAnswer("cut"), exit_code=7).call
    assert (call["text"], call["complete"], call["exit_code"]) == ("Hel", 0, 7)
    assert (call["error_kind"], call["error"]) == ("incomplete", "cut")


def test_unknown_numbers_are_null_and_attempts_are_summed() -> None:
    before = Usage(completion_tokens=5)
    call = record(usage=Usage(completion_tokens=0), failed_before=before).call
    assert (call["prompt_tokens"], call["completion_tokens"]) == (None, 0)
    assert json.loads(call["usage_all"])["completion_tokens"] == 5
    options = json.loads(call["options"])
    assert (options["asked_profile"], options["asked_model"]) == ("first", "f")
    assert call["attempts"] == 2
    assert record().call["usage_all"] is None


def test_an_attempt_that_was_cut_and_counted_nothing_is_told() -> None:
    call = finished_call(cut_before="Hel")
    row = record_from_call(call, CallContext("chat")).call
    assert json.loads(row["usage_all"])["total_tokens"] == row["total_tokens"] == 46


@pytest.mark.parametrize("count", [10**30, 2**63 - 1, -1])
def test_a_number_that_is_no_count_is_null(count: int) -> None:
    usage = Usage(prompt_tokens=count)
    rows = save(usage=usage, failed_before=usage)
    assert rows.call["prompt_tokens"] is None
    assert json.loads(rows.call["usage_all"])["prompt_tokens"] is None


def test_a_lone_surrogate_is_replaced() -> None:
    assert save("a\ud800b", "c\udfffd").call["text"] == "c?d"


def test_options_of_the_request() -> None:
    profile = Profile(
        name="t", provider="ollama", temperature=0.5, reasoning="high", schema={"type": "object"}
    )
    options = json.loads(record(profile=profile).call["options"])
    assert len(options.pop("schema_sha256")) == 64
    assert options == {"temperature": 0.5, "reasoning": "high"}
    assert record().call["options"] is None


def test_the_title_is_one_line_of_80_characters() -> None:
    rows = record("a\n\n" + "b" * 200)
    assert rows.conversation is not None
    assert rows.conversation["title"] == "a " + "b" * 78
    typed = record("file.txt:\n…\n\nSummarise", title="Summarise").conversation
    assert typed is not None
    assert typed["title"] == "Summarise"


def test_a_long_text_keeps_both_ends() -> None:
    text = "é" * 200_000
    short = shorten(text)
    start, note, end = short.split("\n\n")
    assert (start, end) == ("é" * 32768, "é" * 32768)
    assert note.startswith("[268928 bytes left out; SHA-256 of the whole text: ")
    assert shorten("é" * 131_072) == "é" * 131_072
    assert record(text).call["shortened"] == 1
    assert record(text="x" * 300_000).call["shortened"] == 1
    assert record(reasoning="x" * 300_000).call["shortened"] == 0


MESSAGE_LISTS = [
    [Message("user", ("What?",))],
    [Message("user", ("What?", Image(url="https://a.example/b.png"), Image(data=gif_1x1())))],
    [Message("user", (Image(data=gif_1x1()),))],
    [Message("user", ("A ", "B"))],
    [Message("user", (Image(data=gif_1x1()), "What?"))],
    [Message("user", ("Hi",)), Message("assistant", ("Yes?",)), Message("user", ("What?",))],
    [Message("system", ("Brief.",)), Message("user", ("Hi",)), Message("system", ("Briefer.",)),
     Message("user", ("What?",), {"name": "anna"})],
    [Message("user", (replace(Image(data=gif_1x1()), detail="low"), "What?"))],
    [Message("user", (CachedText.of("What?", {"type": "ephemeral"}),))],
]  # fmt: skip


@pytest.mark.parametrize("messages", MESSAGE_LISTS)
def test_messages_come_back_from_their_row(messages: list[Message]) -> None:
    rows = record(messages=messages)
    images = [image for message in messages for image in message.images]
    back = messages_from_row(rows.call, images)
    assert back == messages
    assert [[getattr(part, "cache_control", None) for part in each.parts] for each in back] == [
        [getattr(part, "cache_control", None) for part in each.parts] for each in messages
    ]
    assert len(rows.images) == len(images)


def test_an_image_is_read_again_from_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("red.png").write_bytes(png(2, 2, (255, 0, 0)))
    row = image_row(Image.of("red.png", paths=True), 0)
    monkeypatch.chdir("/")
    assert read_again(row).data == png(2, 2, (255, 0, 0))
    (tmp_path / "red.png").write_bytes(png(2, 2, (0, 0, 255)))
    with pytest.raises(UsageError, match="the file has changed"):
        read_again(row)
    (tmp_path / "red.png").unlink()
    with pytest.raises(UsageError, match="no such image file"):
        read_again(row)


def test_an_image_without_a_source_cannot_be_sent_again() -> None:
    with pytest.raises(UsageError, match="came from stdin"):
        read_again(image_row(Image.of(gif_1x1()), 0))
    assert read_again(image_row(Image.of("https://a.example/b.png"), 0)).url
    with pytest.raises(UsageError, match="its URL had parts that are not kept"):
        read_again(image_row(Image.of("https://a.example/b.png?c"), 0))
