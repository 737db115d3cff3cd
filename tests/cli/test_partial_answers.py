"""Partial answers of failed requests are kept in the state folder, byte for byte and private."""

import signal
import stat
import time
from pathlib import Path

import pytest

from tests.support.binary import (
    Easyllm,
    chat_answer_script,
    finish,
    read_until,
    run_concurrently,
    single_profile_toml,
    split_error_line,
)
from tests.support.standins.script import Cut, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn

TEXT = "Hello\n\twörld\u2028 "
CUT = Script(chunk("Hello\n"), chunk("\twörld\u2028 "), Cut())
SLOW = Script(chunk("Hello\n"), chunk("\twörld\u2028 "), Wait(30))


def test_partial_is_kept_and_named(easyllm: Easyllm) -> None:
    with StandIn(script_handler(CUT)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (7, b"")
    (file,) = easyllm.partials()
    assert str(file) in split_error_line(ran.error_line)[2]
    assert file.read_bytes() == TEXT.encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_longest_of_two_attempts_is_kept(easyllm: Easyllm) -> None:
    with StandIn(script_handler(CUT, Script(chunk("He"), Cut()))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
    assert ran.code == 7
    (file,) = easyllm.partials()
    assert file.read_bytes() == TEXT.encode()


def test_partial_survives_a_second_attempt_that_fails_before_text(easyllm: Easyllm) -> None:
    with StandIn(script_handler(CUT, Script(b"{}", status=401))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (3, b"")
    (file,) = easyllm.partials()
    assert file.read_bytes() == TEXT.encode()


def test_nothing_is_kept_if_text_was_printed_or_never_came(easyllm: Easyllm) -> None:
    with (
        StandIn(script_handler(CUT)) as cut,
        StandIn(script_handler(Script(b"{}", status=401))) as refused,
    ):
        streamed, json, failed, partial = run_concurrently(
            lambda: easyllm.with_new_home().run("stream", "hi", profiles=single_profile_toml(cut)),
            lambda: easyllm.with_new_home().run(
                "chat", "--json", "hi", profiles=single_profile_toml(cut, max_retries=0)
            ),
            lambda: easyllm.with_new_home().run(
                "chat", "hi", profiles=single_profile_toml(refused)
            ),
            lambda: easyllm.with_new_home().run(
                "chat", "--partial", "hi", profiles=single_profile_toml(cut)
            ),
        )
    assert (streamed.code, streamed.stdout) == (7, TEXT.encode() + b"\n")
    assert json.json["text"] == TEXT
    assert (json.json["ok"], json.json["complete"]) == (False, False)
    assert (failed.code, failed.stdout) == (3, b"")
    assert (partial.code, partial.stdout) == (7, TEXT.encode() + b"\n"), "--partial prints it"
    assert not list(easyllm.home.rglob("*.md"))


def test_newest_twenty_are_kept(easyllm: Easyllm) -> None:
    easyllm.partial.mkdir(parents=True)
    old = [easyllm.partial / f"20200101T0000{number:02}Z-1.md" for number in range(22)]
    for path in old:
        path.write_text("old")
    with StandIn(script_handler(CUT)) as server:
        easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server))
    kept = easyllm.partials()
    assert len(kept) == 20
    assert kept[:-1] == old[3:]
    assert kept[-1].read_bytes() == TEXT.encode()


def keep_one_answer(easyllm: Easyllm) -> None:
    with StandIn(script_handler(CUT)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server))
    assert ran.code == 7, ran.stderr


def test_only_our_own_files_are_deleted(easyllm: Easyllm) -> None:
    """Other files, similar names, folders and links stay, however many there are."""
    easyllm.partial.mkdir(parents=True)
    diary = easyllm.home / "diary.md"
    diary.write_text("mine")
    names = [f"note {number}.md" for number in range(30)] + [
        "20200101T000000Z.md", "20200101T000000Z-1-.md", "20200101T000000Z-1.md.md",
        "my 20200101T000000Z-1.md", "20200101T000000Z-x.md", "20200101-000000Z-1.md",
    ]  # fmt: skip
    for name in names:
        (easyllm.partial / name).write_text("mine")
    ours = [f"20200102T0000{number:02}Z-1-3.md" for number in range(22)]
    for name in ours:
        (easyllm.partial / name).write_text("ours")
    for name in ("20200101T000000Z-2.md", "20200101T000000Z-3.md"):
        (easyllm.partial / name).symlink_to(diary)
    (easyllm.partial / "20200101T000000Z-4.md").mkdir()
    keep_one_answer(easyllm)
    left = {path.name for path in easyllm.partials()}
    assert left >= {*names, *(f"20200101T000000Z-{number}.md" for number in (2, 3, 4))}
    assert len(left & set(ours)) == 19
    assert diary.read_text() == "mine"


def test_nothing_is_deleted_through_a_link(easyllm: Easyllm) -> None:
    """If the folder is a link, such names may be the user's own; the answer is still kept."""
    elsewhere = easyllm.home / "elsewhere"
    elsewhere.mkdir()
    for number in range(30):
        (elsewhere / f"20200101T0000{number:02}Z-1.md").write_text("old")
    easyllm.partial.parent.mkdir(parents=True)
    easyllm.partial.symlink_to(elsewhere)
    keep_one_answer(easyllm)
    assert len(list(elsewhere.iterdir())) == 31


@pytest.mark.parametrize("command", ["chat", "cot", "vision"])
def test_every_buffered_command_keeps_the_answer(easyllm: Easyllm, command: str) -> None:
    picture = Path(easyllm.home, "a.gif")
    picture.write_bytes(b"GIF89a")
    words = [str(picture), "hi"] if command == "vision" else ["hi"]
    with StandIn(script_handler(CUT)) as server:
        ran = easyllm.run(command, "--no-retry", *words, profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (7, b"")
    assert [path.read_bytes() for path in easyllm.partials()] == [TEXT.encode()]


def test_state_folder_that_cannot_be_written_is_one_warning(easyllm: Easyllm) -> None:
    blocker = easyllm.home / "state"
    blocker.write_text("a file where the folder should be")
    with StandIn(script_handler(CUT)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (7, b"")
    warning, error, rest = ran.stderr.split("\n")
    assert "could not be kept" in warning
    assert error.startswith("easyllm: the answer was cut")
    assert rest == ""


def test_full_state_folder_is_one_warning_and_no_half_file(easyllm: Easyllm) -> None:
    """`ulimit` limits files to 512 bytes: as on a full disk, part of the text can be written."""
    long = Script(chunk("x" * 5000), Cut())
    with StandIn(script_handler(long)) as server:
        ran = easyllm.shell(
            'ulimit -f 1; "$E" chat --no-retry hi', profiles=single_profile_toml(server)
        )
    assert (ran.code, ran.stdout) == (7, b"")
    warning, error, rest = ran.stderr.split("\n")
    assert "could not be kept: File too large" in warning
    assert error.startswith("easyllm: the answer was cut")
    assert rest == ""
    assert not list(easyllm.partial.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_fault_53_full_disk_for_every_stream(easyllm: Easyllm) -> None:
    """Nothing can be printed, so only the exit code reports it."""
    with StandIn(script_handler(chat_answer_script(TEXT))) as server:
        both = easyllm.shell(
            '"$E" chat hi > /dev/full 2> /dev/full', profiles=single_profile_toml(server)
        )
        errors = easyllm.shell(
            '"$E" chat -v -u hi 2> /dev/full', profiles=single_profile_toml(server)
        )
    assert (both.code, both.stdout, both.stderr) == (8, b"", "")
    assert [path.read_bytes() for path in easyllm.partials()] == [TEXT.encode()]
    assert (errors.code, errors.stdout) == (0, TEXT.encode() + b"\n")


def check_stopped(easyllm: Easyllm, sent: signal.Signals, code: int) -> None:
    """Stop a run after text has arrived and before anything is printed."""
    with StandIn(script_handler(SLOW)) as server:
        child = easyllm.start("chat", "-v", "hi", profiles=single_profile_toml(server))
        read_until(child.stderr, b"\n")
        time.sleep(1)
        child.send_signal(sent)
        ran = finish(child, None, 5)
    assert (ran.code, ran.stdout) == (code, b"")
    (file,) = easyllm.partials()
    assert file.read_bytes() == TEXT.encode()
    assert str(file) in ran.error_line


def test_signals_keep_the_answer(easyllm: Easyllm) -> None:
    run_concurrently(
        lambda: check_stopped(easyllm.with_new_home(), signal.SIGINT, 130),
        lambda: check_stopped(easyllm.with_new_home(), signal.SIGTERM, 143),
    )


def test_filtered_answer_is_kept(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script(TEXT, finish="content_filter"))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (7, b"")
    assert [path.read_bytes() for path in easyllm.partials()] == [TEXT.encode()]


def test_answer_without_a_code_block_is_kept(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script(TEXT))) as server:
        ran = easyllm.run("chat", "-x", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (7, b"")
    assert [path.read_bytes() for path in easyllm.partials()] == [TEXT.encode()]
