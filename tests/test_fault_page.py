"""docs/faults.md has what benchmarks/faults.py measures, and that tells right from wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fault_cases import Group
from benchmarks.fault_list import GROUPS
from benchmarks.fault_tools import TOOLS

ROOT = Path(__file__).resolve().parent.parent


def rows(group: Group) -> list[list[str]]:
    """The cells of a group's table on the page, its first row first."""
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    section = page.partition(f"\n## {group.title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").replace("\\|", "¦").split(" | ") for line in lines]


@pytest.mark.parametrize("group", GROUPS, ids=[group.title for group in GROUPS])
def test_the_page_has_every_fault_and_every_tool(group: Group) -> None:
    """A tool that could not be installed when the page was written is a tool that is missing."""
    names, *faults = rows(group)
    assert names == [tool.name for tool in TOOLS]
    assert [row[0].replace("¦", "|") for row in faults] == [case.title for case in group.cases]
    assert all(len(row) == len(TOOLS) + 1 for row in faults)


def test_the_benchmark_tells_a_wrong_answer_from_a_right_one(tmp_path: Path) -> None:
    """The bare openai SDK, which we need anyway, takes a stream that just ends for an answer."""
    written = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "benchmarks/faults.py", "--installed", "--tools", "easyllm chat",
         "easyllm stream", "openai SDK", "--only", "good", "no-end-marker",
         "--json", str(written)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    measured = json.loads(written.read_text())
    found = {
        tool: {name: (one["ended"], one["text"], one["requests"], one["silent"])
               for name, one in figures["faults"].items()}
        for tool, figures in measured.items()
    }  # fmt: skip
    right = ("0", "whole", 1, False)
    assert found == {
        "easyllm chat": {"good": right, "no-end-marker": ("7", "file", 2, False)},
        "easyllm stream": {"good": right, "no-end-marker": ("7", "all", 1, False)},
        "openai SDK": {"good": right, "no-end-marker": ("0", "all", 1, True)},
    }
