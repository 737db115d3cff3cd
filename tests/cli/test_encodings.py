"""Tests text as Windows writes it: a byte order mark is ignored, UTF-16 is an error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    profile_toml,
    single_profile_toml,
    split_error_line,
)
from tests.support.images import png
from tests.support.standins.script import script_handler
from tests.support.standins.server import Request, StandIn

MARK = b"\xef\xbb\xbf"
KEY = "sk-test-0123456789"
LISTED = b'[{"role": "user", "content": "hi"}]'
NOWHERE = "http://127.0.0.1:9/v1"


def request_of(easyllm: Easyllm, *args: str, **more: Any) -> Request:
    """The only request of a run with exit code 0."""
    with StandIn(script_handler(chat_answer_script('{"a": 1}'))) as server:
        more.setdefault("profiles", single_profile_toml(server))
        if callable(more["profiles"]):
            more["profiles"] = more["profiles"](server)
        ran = easyllm.run(*args, **more)
        assert ran.code == 0, ran.stderr
        (request,) = server.requests
        return request


def prompt_of(request: Request) -> Any:
    return request.json["messages"][-1]["content"]


def file_of(easyllm: Easyllm, data: bytes, name: str = "file") -> str:
    path = easyllm.home / name
    path.write_bytes(data)
    path.chmod(0o600)
    return str(path)


def test_a_byte_order_mark_on_stdin_is_not_sent(easyllm: Easyllm) -> None:
    assert prompt_of(request_of(easyllm, "chat", "hi", stdin=MARK + b"text")) == "text\n\nhi"
    assert prompt_of(request_of(easyllm, "cot", "A {stdin}", stdin=MARK + b"text")) == "A text"


def test_a_byte_order_mark_in_a_file_is_not_sent(easyllm: Easyllm) -> None:
    file_of(easyllm, MARK + b"text", "a.txt")
    assert prompt_of(request_of(easyllm, "chat", "-f", "a.txt", "hi")) == "a.txt:\ntext\n\nhi"


def test_a_byte_order_mark_before_a_message_list(easyllm: Easyllm) -> None:
    name = file_of(easyllm, MARK + LISTED)
    assert prompt_of(request_of(easyllm, "chat", "--messages", name)) == "hi"
    assert prompt_of(request_of(easyllm, "chat", "--messages", "-", stdin=MARK + LISTED)) == "hi"


def test_a_byte_order_mark_before_a_schema(easyllm: Easyllm) -> None:
    name = file_of(easyllm, MARK + b'{"type": "object"}')
    assert request_of(easyllm, "chat", "--schema", name, "hi").json["response_format"]


def test_a_byte_order_mark_before_text_to_extract(easyllm: Easyllm) -> None:
    ran = easyllm.run("cot", "--extract", stdin=MARK + b"<think>so</think>six")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"six\n", "so\n")


def test_a_byte_order_mark_before_the_profiles(easyllm: Easyllm) -> None:
    assert request_of(
        easyllm, "chat", "hi", profiles=lambda server: "\ufeff" + single_profile_toml(server)
    )


def error_of(easyllm: Easyllm, text: str) -> str:
    return easyllm.run("chat", "hi", profiles=text).error_line


def test_a_byte_order_mark_does_not_shift_error_positions(easyllm: Easyllm) -> None:
    wrong = 'nonsense = 1\n[profiles.t]\nprovider = "ollama"\n'
    assert error_of(easyllm, "\ufeff" + wrong) == error_of(easyllm, wrong)
    assert "profiles.toml:1:1" in error_of(easyllm, wrong)


@pytest.mark.parametrize(
    "args",
    [("set", "t", "seed", "1"), ("add", "u", "ollama:x"), ("default", "t"), ("remove", "u")],
    ids=" ".join,
)
def test_profile_commands_keep_the_byte_order_mark(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    more = "" if args[0] == "add" else profile_toml(NOWHERE, name="u")
    easyllm.write_profiles("\ufeff" + profile_toml(NOWHERE) + more)
    ran = easyllm.run("profiles", *args)
    assert ran.code == 0, ran.stderr
    data = easyllm.config.read_bytes()
    assert data.startswith(MARK)
    assert data.count(MARK) == 1


def test_profiles_edit_keeps_the_editors_bytes(easyllm: Easyllm) -> None:
    """The editor's bytes are saved unchanged; without a change nothing is written."""
    easyllm.write_profiles("\ufeff" + single_profile_toml(NOWHERE))
    before = easyllm.config.read_bytes()
    ran = easyllm.run("profiles", "edit", env={"EDITOR": "true"})
    assert (ran.code, easyllm.config.read_bytes()) == (0, before)
    assert "nothing was changed" in ran.stderr
    ran = easyllm.run("profiles", "edit", env={"EDITOR": 'sh -c \'echo "# x" >> "$0"\''})
    assert (ran.code, easyllm.config.read_bytes()) == (0, before + b"# x\n")


def sent_key(request: Request) -> str | None:
    return request.headers.get("authorization")


def profile_with(**source: Any) -> Callable[[StandIn], str]:
    return lambda server: single_profile_toml(server, **source)


def test_a_byte_order_mark_before_a_key(easyllm: Easyllm) -> None:
    """In a file, in a command's output, in a variable, and on stdin of `keys set`."""
    name = file_of(easyllm, MARK + KEY.encode() + b"\r\n")
    wanted = f"Bearer {KEY}"
    assert (
        sent_key(request_of(easyllm, "chat", "hi", profiles=profile_with(api_key_file=name)))
        == wanted
    )
    command = profile_with(api_key_cmd=["cat", name])
    assert sent_key(request_of(easyllm, "chat", "hi", profiles=command)) == wanted
    variable = {"profiles": profile_with(api_key_env="K"), "env": {"K": f"\ufeff{KEY}"}}
    assert sent_key(request_of(easyllm, "chat", "hi", **variable)) == wanted
    typed, named = MARK + KEY.encode() + b"\r\n", single_profile_toml(NOWHERE, keyring="work")
    assert easyllm.run("keys", "set", "work", stdin=typed, profiles=named).code == 0
    stored = request_of(easyllm, "chat", "hi", profiles=profile_with(keyring="work"))
    assert sent_key(stored) == wanted


def test_a_byte_order_mark_before_the_stored_keys(easyllm: Easyllm) -> None:
    data = MARK + json.dumps({"work": {"key": KEY}}).encode()
    file_of(easyllm, data, str(easyllm.config.with_name("keys.json")))
    assert sent_key(request_of(easyllm, "chat", "hi", profiles=profile_with(keyring="work")))


def refused(ran: RunResult) -> str:
    assert (ran.code, ran.stdout) == (2, b""), ran.stderr
    return ran.error_line


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", [True, False], ids=["marked", "unmarked"])
def test_utf_16_is_2_and_names_iconv(easyllm: Easyllm, encoding: str, mark: bool) -> None:
    """Wherever text is read; the error names the iconv command that converts it."""
    text = ("\ufeff" if mark and encoding != "utf-16" else "") + "[profiles.t]\nhéllo"
    name = file_of(easyllm, text.encode(encoding), "in.txt")
    data = Path(name).read_bytes()
    easyllm.write_profiles(single_profile_toml(NOWHERE))
    image = file_of(easyllm, png(1, 1, (0, 0, 0)), "a.png")
    key = single_profile_toml(NOWHERE, api_key_file=name)
    runs: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (("chat", "hi"), {"stdin": data}), (("stream", "-f", name, "hi"), {}),
        (("cot", "--extract"), {"stdin": data}), (("vision", image), {"stdin": data}),
        (("chat", "--messages", "-"), {"stdin": data}), (("keys", "set", "groq"), {"stdin": data}),
        (("chat", "--messages", name, "hi"), {}), (("chat", "--schema", name, "hi"), {}),
        (("chat", "--profiles", name, "hi"), {}),
        (("profiles", "set", "--profiles", name, "t", "seed", "1"), {}),
        (("chat", "hi"), {"profiles": key}),
    ]  # fmt: skip
    # All of them find an encoding by the same code.
    for args, more in runs if (encoding, mark) == ("utf-16", True) else runs[:2]:
        line = refused(easyllm.run(*args, **more))
        assert "iconv -f UTF-16" in line
        assert "-t UTF-8" in line
        assert "image" not in line
        assert "picture" not in line
    assert Path(name).read_bytes() == data


def test_windows_1252_text_is_not_called_an_image(easyllm: Easyllm) -> None:
    data = "BMW: fünf Räder “gratis”".encode("cp1252")
    name = file_of(easyllm, data)
    for ran in [
        easyllm.run("chat", "hi", stdin=data, profiles=single_profile_toml(NOWHERE)),
        easyllm.run("chat", "-f", name, "hi", profiles=single_profile_toml(NOWHERE)),
    ]:
        what, _, hint = split_error_line(refused(ran))
        assert "not UTF-8 at byte 6" in what
        assert "iconv -f WINDOWS-1252 -t UTF-8" in hint
        assert "image" not in hint
        assert "picture" not in hint


def test_an_image_is_called_an_image(easyllm: Easyllm) -> None:
    data = png(2, 2, (1, 2, 3))
    name = file_of(easyllm, data)
    ran = easyllm.run("chat", "hi", stdin=data, profiles=single_profile_toml(NOWHERE))
    assert "image: easyllm vision -" in refused(ran)
    ran = easyllm.run("chat", "-f", name, "hi", profiles=single_profile_toml(NOWHERE))
    assert "it is an image: -a FILE" in refused(ran)
