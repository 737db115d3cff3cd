"""One answer of the library against one fault: what the command would print, without the command.

The provider, its retries, its stages and the command line's verdict are the real ones; what is
left out is the process: arguments, rendering and files. `running.py` runs those, too.
"""

import asyncio
from typing import Any

from easyllm_cli.cli.answer import check_acceptable
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import MAX_TEXT_BYTES, Note, Retrying
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers import provider_for
from tests.support.asking import messages
from tests.support.binary import FAST, RunResult
from tests.support.faults.fault import Fault
from tests.support.faults.running import Case, CaseResult, Served, expected_stdout, serve_case


def run(case: Case) -> CaseResult:
    """Asks the provider for one answer, from a server of its own."""
    with serve_case(case) as served:
        ran, kept = asyncio.run(ask(case, served))
        return served.ending(ran, kept)


async def ask(case: Case, served: Served) -> tuple[RunResult, tuple[bytes, ...]]:
    """The answer as a run that printed it, and the text that the command would keep in a file."""
    keys, max_bytes = of_arguments(case.fault)
    profile = Profile.of({**served.keys, **FAST, **keys, "endpoint": served.endpoint})
    provider = provider_for(profile)
    came = Collector(MAX_TEXT_BYTES)
    shown = ("text",) if case.streams else ()  # in a pipe reasoning is not on stdout
    error: EasyLLMError | None = None
    lines: list[str] = []
    try:
        async for event in provider.stream(
            messages("hi"), shown=shown, max_bytes=max_bytes,
            verdict=lambda answer, limited: check_acceptable(answer, limited, "auto"),
        ):  # fmt: skip
            came.feed(event)
            if isinstance(event, Retrying):
                lines.append(f"easyllm: {event.why} (try {event.attempt})")
            elif isinstance(event, Note):
                lines.append(f"easyllm: {event.text}")
    except EasyLLMError as failure:
        error = failure
        lines.append(f"easyllm: {failure}")
    finally:
        await provider.aclose()
    text = came.completion()["text"]
    best = error.partial["text"] if error and error.partial else ""
    out = expected_stdout(text) if case.streams or not error else b""
    kept = (best.encode(),) if best and not case.streams else ()
    code = error.exit_code if error else 0
    return RunResult(code, out, "".join(f"{line}\n" for line in lines)), kept


def of_arguments(fault: Fault) -> tuple[dict[str, Any], int]:
    """The command's arguments as profile settings, and the cap of --max-output-bytes."""
    keys: dict[str, Any] = {}
    max_bytes = MAX_TEXT_BYTES
    words = iter(fault.args)
    for word in words:
        match word:
            case "--no-retry":
                keys["max_retries"] = 0
            case "--strict":
                keys["strict"] = True
            case "--max-tokens":
                keys["max_tokens"] = int(next(words))
            case "--max-output-bytes":
                max_bytes = int(next(words))
            case "-u":
                pass  # printed by the command alone
            case _:
                raise AssertionError(f"{fault.name}: what does {word} mean to a profile?")
    return keys, max_bytes
