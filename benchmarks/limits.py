"""Measures the shared rate limit: its windows with 20 processes, and what it costs a short chat.

    python -m benchmarks.limits [--chat] [--rpm N…] [--xargs] [--seconds S]

--chat: pairs of a chat without and with `rpm`, as CPU. Else 20 processes send for 75 seconds at
each rate, through the library (--xargs: `xargs -P 20 easyllm`), and a server counts what arrives.
Run it by hand.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Command, measure_paired
from tests.support.binary import chat_answer_script
from tests.support.rate_windows import allowed_in_minute, most_in_window
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

RATES = (60, 120, 600, 6000)
PROCESSES, PAIRS = 20, 101
PROFILE = '[profiles.{name}]\nprovider = "openai"\nendpoint = "{url}/v1"\nmodel = "m"\n{more}\n'
COMMAND = str(Path(sys.executable).with_name("easyllm"))
LOOP = """
import asyncio, sys, time
from easyllm_cli import LLMService, load_profile

async def main(seconds):
    profile, question = load_profile("limited"), [{"role": "user", "content": "hi"}]
    async with LLMService() as service:
        await service.chat(load_profile("plain"), question)
        print("ready", flush=True)
        sys.stdin.readline()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await service.chat(profile, question)

asyncio.run(main(float(sys.argv[1])))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chat", action="store_true", help="what a limit costs a chat")
    parser.add_argument("--xargs", action="store_true", help="processes of the command")
    parser.add_argument("--rpm", type=int, nargs="+", default=RATES)
    parser.add_argument("--seconds", type=float, default=75.0)
    asked = parser.parse_args()
    if asked.chat:
        measure_chat()
        return
    for rpm in asked.rpm:
        measure_windows(rpm, asked.seconds, asked.xargs)


def measure_chat() -> None:
    """Print the CPU of a chat with a limit, as a multiple of the same chat without."""
    with ExitStack() as stack:
        server = stack.enter_context(StandIn(script_handler(chat_answer_script("Hello"))))
        environment = write_profiles(stack, server, rpm=1_000_000)
        plain, again, limited = (
            Command(name, (COMMAND, "chat", "-p", profile, "hi"), environment, "Hello")
            for name, profile in (("plain", "plain"), ("again", "plain"), ("limited", "limited"))
        )
        figures = measure_paired([plain, again, limited], PAIRS)
    for name, measured in figures.items():
        print(f"{name:8} {measured.median_ms:7.1f} ms  x {measured.ratio:.3f}")


def measure_windows(rpm: int, seconds: float, with_xargs: bool) -> None:
    """Print the fullest minute of the requests that arrive, and the share of the rate used."""
    with ExitStack() as stack:
        server = stack.enter_context(StandIn(script_handler(chat_answer_script("Hello"))))
        environment = write_profiles(stack, server, rpm)
        if with_xargs:
            run_xargs(environment, seconds)
        else:
            run_library(environment, seconds, server)
        arrived = sorted(request.came_at for request in server.requests)
    span = arrived[-1] - arrived[0]
    share = (len(arrived) - 1) / (rpm / 60 * span)
    most = most_in_window(arrived)
    kind = "xargs" if with_xargs else "library"
    print(
        f"rpm {rpm:5} {kind:8} fullest minute {most:5} of {allowed_in_minute(rpm)} allowed, "
        f"{len(arrived)} in {span:.1f} s = {share:.1%} of the rate"
    )


def run_library(environment: dict[str, str], seconds: float, server: StandIn) -> None:
    """Run processes that ask in a loop; they begin together when each has asked once."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", LOOP, str(seconds)], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    server.requests.clear()
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    for child in children:
        child.wait()


def run_xargs(environment: dict[str, str], seconds: float) -> None:
    """Run `xargs -P 20 easyllm` on more questions than fit the time, and stop it."""
    script = 'yes hi | xargs -P "$1" -n 1 "$2" chat -n -q -p limited >/dev/null'
    command = ["timeout", str(seconds), "sh", "-c", script, "sh", str(PROCESSES), COMMAND]
    subprocess.run(command, env=environment, check=False, stderr=subprocess.DEVNULL)


def write_profiles(stack: ExitStack, server: StandIn, rpm: int) -> dict[str, str]:
    """Write the profiles `plain` and `limited`; returns the environment that finds them."""
    home = stack.enter_context(tempfile.TemporaryDirectory())
    file = Path(home, "profiles.toml")
    names = {"plain": "", "limited": f"rpm = {rpm}"}
    text = "".join(
        PROFILE.format(name=name, url=server.url, more=more) for name, more in names.items()
    )
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    return {
        "HOME": home, "PATH": os.environ["PATH"], "EASYLLM_PROFILES": str(file),
        "EASYLLM_HISTORY": "off",
    }  # fmt: skip


if __name__ == "__main__":
    main()
