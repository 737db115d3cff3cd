"""Runs one fault through the library, and returns what the command would have printed.

The provider, its retries, its stages and the command's verdict are the real ones, with the answer
cache. Arguments, rendering and files are left out; tests/support/faults/running.py runs those, too.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import MAX_TEXT_BYTES, Note, Retrying
from easyllm_cli.pipeline.acceptance import check_acceptable
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers import provider_for
from tests.support.asking import messages
from tests.support.binary import FAST, RunResult
from tests.support.faults.fault import Fault
from tests.support.faults.running import Case, CaseResult, Served, expected_stdout, serve_case
from tests.support.replaying import kept_answers


@dataclass(frozen=True)
class Answer:
    """One answer: what the command would print, and save in a file.

    `is_whole`: whether it was accepted, and no limit cut it.
    """

    command_result: RunResult
    kept: tuple[bytes, ...]
    is_whole: bool


@dataclass(frozen=True)
class CacheResult:
    """What the cache keeps of an answer: the number of its files.

    `again`: the case's result if the same was asked a second time; None = it was not.
    """

    is_whole: bool
    files: int
    again: CaseResult | None = None


def run(case: Case) -> tuple[CaseResult, CacheResult]:
    """Request one answer from a new server; one that is whole, again."""
    with serve_case(case) as served:
        answer = asyncio.run(ask(case, served))
        result = served.ending(answer.command_result, answer.kept)
        files = len(kept_answers())
        if not answer.is_whole:
            return result, CacheResult(False, files)
        again = asyncio.run(ask(case, served))
        return result, CacheResult(True, files, served.ending(again.command_result, again.kept))


async def ask(case: Case, served: Served) -> Answer:
    """Request the answer, from the cache if it is there."""
    settings, max_bytes = settings_of_arguments(case.fault)
    keys = {**served.keys, **FAST, **settings, "endpoint": served.endpoint, "cache": "1h"}
    profile = Profile.of(keys)
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
    completion = collector.completion()
    text, is_whole = completion["text"], error is None and completion.complete
    partial_text = error.partial["text"] if error and error.partial else ""
    out = expected_stdout(text) if case.streams or not error else b""
    kept = (partial_text.encode(),) if partial_text and not case.streams else ()
    code = error.exit_code if error else 0
    ran = RunResult(code, out, "".join(f"{line}\n" for line in lines))
    return Answer(ran, kept, is_whole)


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
