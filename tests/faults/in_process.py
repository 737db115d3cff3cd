"""Runs one fault through the library, and returns what the command would have printed.

The provider, its retries, its stages and the command's verdict are the real ones. Arguments,
rendering and files are left out; tests/support/faults/running.py runs those, too.
"""

import asyncio
from typing import Any

from easyllm_cli.cli.acceptance import check_acceptable
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
    """Request one answer from a new server."""
    with serve_case(case) as served:
        ran, kept = asyncio.run(ask(case, served))
        return served.ending(ran, kept)


async def ask(case: Case, served: Served) -> tuple[RunResult, tuple[bytes, ...]]:
    """Return the answer as the command would print it, and the text it would save in a file."""
    settings, max_bytes = settings_of_arguments(case.fault)
    profile = Profile.of({**served.keys, **FAST, **settings, "endpoint": served.endpoint})
    provider = provider_for(profile)
    collector = Collector(MAX_TEXT_BYTES)
    shown = ("text",) if case.streams else ()  # reasoning never goes to a piped stdout
    error: EasyLLMError | None = None
    lines: list[str] = []
    try:
        async for event in provider.stream(
            messages("hi"), shown=shown, max_bytes=max_bytes,
            verdict=lambda answer, limited: check_acceptable(answer, limited, "auto"),
        ):  # fmt: skip
            collector.feed(event)
            if isinstance(event, Retrying):
                lines.append(f"easyllm: {event.why} (try {event.attempt})")
            elif isinstance(event, Note):
                lines.append(f"easyllm: {event.text}")
    except EasyLLMError as failure:
        error = failure
        lines.append(f"easyllm: {failure}")
    finally:
        await provider.aclose()
    text = collector.completion()["text"]
    partial_text = error.partial["text"] if error and error.partial else ""
    out = expected_stdout(text) if case.streams or not error else b""
    kept = (partial_text.encode(),) if partial_text and not case.streams else ()
    code = error.exit_code if error else 0
    return RunResult(code, out, "".join(f"{line}\n" for line in lines)), kept


def settings_of_arguments(fault: Fault) -> tuple[dict[str, Any], int]:
    """Return the command's arguments as profile settings, and the limit of --max-output-bytes."""
    settings: dict[str, Any] = {}
    max_bytes = MAX_TEXT_BYTES
    words = iter(fault.args)
    for word in words:
        match word:
            case "--no-retry":
                settings["max_retries"] = 0
            case "--strict":
                settings["strict"] = True
            case "--max-tokens":
                settings["max_tokens"] = int(next(words))
            case "--max-output-bytes":
                max_bytes = int(next(words))
            case "-u":
                pass  # only changes what the command prints
            case _:
                raise AssertionError(f"{fault.name}: what does {word} mean to a profile?")
    return settings, max_bytes
