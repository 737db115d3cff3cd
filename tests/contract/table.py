"""Writes the table of docs/providers.md: what the contract suite proves for each provider.

    python -m tests.contract.table            (runs the suite, here and in the extras' venv)
    python -m tests.contract.table --check    (only collects tests: exit 1 if the page lacks a row)

A tick means that every test of that kind passed. If a test fails, the page is not written.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support import ROOT
from tests.support.adapters import ADAPTERS
from tests.support.servers import extras_venv

PAGE = ROOT / "docs" / "providers.md"
BEGIN, END = "<!-- written by tests/contract/table.py -->\n", "<!-- end -->\n"
# The table's columns, each with the tests that prove it.
CASES = {
    "streaming": (
        "test_events_come_in_order", "test_streaming_equals_plain", "test_the_last_event_is_done",
        "test_one_provider_object_answers_many_at_once", "test_pieces_come_when_they_are_sent",
        "test_an_answer_with_its_reasoning",
    ),
    "plain": (
        "test_the_specs_four_methods", "test_cut_plain_answer_is_an_error",
        "test_timeout_while_a_plain_answer_is_awaited",
        "test_a_dropped_connection_is_retried_and_a_plain_answer_may_be_cut",
    ),
    "image": (
        "test_images_reach_the_server_intact", "test_a_picture_arrives",
        "test_pictures_system_prompt_and_turns_arrive",
    ),
    "reasoning": (
        "test_reasoning_when_asked", "test_no_reasoning_when_off",
    ),
    "usage": ("test_usage_is_present",),
    "errors": (
        "test_unknown_model_is_not_found_with_close_names", "test_401_is_a_key_error",
        "test_429_is_retried_then_busy", "test_429_then_a_good_answer", "test_429_is_waited_out",
        "test_400_is_refused_once", "test_empty_body_is_malformed", "test_silence_is_a_timeout",
        "test_nothing_listens", "test_no_answer_is_told_by_its_class",
        "test_a_refusal_is_sent_once", "test_a_wrong_key_is_a_key_error",
        "test_body_without_an_answer_is_malformed",
        "test_silence_is_a_timeout_and_nobody_there_a_refusal",
    ),
    "cut": (
        "test_cut_keeps_the_partial_text", "test_cut_that_nobody_saw_is_tried_once_more",
        "test_a_cut_keeps_the_partial_text",
    ),
    "cancel": ("test_leaving_closes_the_connection", "test_leaving_hangs_up"),
    "models": ("test_models_lists", "test_the_service_class_and_the_models_are_reached"),
}  # fmt: skip
CASE = {name: case for case, names in CASES.items() for name in names}
HERE = ("tests/contract/test_answers.py", "tests/contract/test_failures.py")
# Files that run in the extras' venv: each file's row, or with `+` a suffix of the adapter's id.
EXTRAS = {
    "tests/extras/test_contract_litellm.py": "litellm",
    "tests/extras/test_google_sdk.py": "gemini-sdk",
    "tests/extras/test_openai_2.py": "+, openai 2.x",
}
IDS = sorted((adapter.id for adapter in ADAPTERS), key=len, reverse=True)
NODE = re.compile(r"^(tests/\S+\.py)::(test_\w+)(?:\[(.+)\])?$")
PASSED = re.compile(r"^PASSED (tests/.+)$", re.MULTILINE)


def pytest(python: str | Path, *arguments: str) -> str:
    """Run pytest and return its output.

    Raises:
        SystemExit: a test failed.
    """
    ran = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    if ran.returncode:
        sys.exit(f"tests.contract.table: a test failed:\n{ran.stdout[-4000:]}")
    return ran.stdout


def row_of(file: str, parameters: str) -> str:
    """Return the table's row: the adapter's id among the parameters, or the file's own row."""
    row = EXTRAS.get(file, "+")
    if not row.startswith("+"):
        return row
    # IDS has the longest id first, so that `openai-sdk` is not read as `openai`.
    adapter_id = next((name for name in IDS if f"-{name}-" in f"-{parameters}-"), None)
    if adapter_id is None:
        sys.exit(f"tests.contract.table: no adapter in {file}[{parameters}]")
    return adapter_id + row[1:]


def proved_cases(nodes: Iterable[str]) -> dict[tuple[str, str], None]:
    """Return the pairs of row and column that have a test, in the tests' order."""
    proved: dict[tuple[str, str], None] = {}
    for node in nodes:
        match = NODE.match(node)
        if match and match[2] in CASE:
            proved[row_of(match[1], match[3] or ""), CASE[match[2]]] = None
    return proved


def format_table(proved: Iterable[tuple[str, str]]) -> str:
    """Format the page's table; rows in the tests' order: this venv's, then the extras'."""
    pairs = dict.fromkeys(proved)
    lines = ["| | " + " | ".join(CASES) + " |", "|---|" + "---|" * len(CASES)]
    for row in dict.fromkeys(row for row, _ in pairs):
        cells = ["✓" if (row, case) in pairs else "·" for case in CASES]
        lines.append(f"| `{row}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def split_page(page: str) -> tuple[str, str, str]:
    """Return the page before the table, the table, and the page after it."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    return before, table, after


def is_old() -> bool:
    """Return whether the page lacks a row that this venv can collect."""
    nodes = pytest(sys.executable, "--collect-only", *HERE).splitlines()
    page_rows = split_page(PAGE.read_text("utf-8"))[1].splitlines()
    return not set(format_table(proved_cases(nodes)).splitlines()) <= set(page_rows)


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        sys.exit(
            "docs/providers.md is outdated; run: python -m tests.contract.table" if is_old() else 0
        )
    nodes = PASSED.findall(pytest(sys.executable, "-rA", *HERE))
    subprocess.run([sys.executable, extras_venv.__file__], check=True)
    nodes += PASSED.findall(pytest(extras_venv.PYTHON, "-rA", *EXTRAS))
    before, _, after = split_page(PAGE.read_text("utf-8"))
    PAGE.write_text(before + BEGIN + format_table(proved_cases(nodes)) + END + after, "utf-8")


if __name__ == "__main__":
    main()
