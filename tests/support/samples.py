"""Extracts the code blocks of a Markdown document by name, and runs them."""

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass
from typing import Any

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$", re.M | re.S
)
HEADING = re.compile(r"^#+ (.+)$", re.M)
NAMESPACES = ("from easy_dataset.llm import", "from easyllm_cli import")


@dataclass(frozen=True)
class Sample:
    """One code block; `name` is its heading, with a number from the second block on."""

    name: str
    language: str
    code: str


def parse_samples(document: str) -> dict[str, Sample]:
    """Return every code block by name, in the document's order."""
    samples: dict[str, Sample] = {}
    for fence in FENCE.finditer(document):
        before = FENCE.sub("", document[: fence.start()])  # a `#` comment in code is no heading
        heading = HEADING.findall(before)[-1]
        count = sum(1 for name in samples if name == heading or name.startswith(f"{heading} "))
        name = f"{heading} {count + 1}" if count else heading
        samples[name] = Sample(name, fence["language"], textwrap.dedent(fence["code"]))
    return samples


async def execute_sample(sample: Sample, names: dict[str, Any], *changes: tuple[str, str]) -> None:
    """Run a Python block in the namespace `names`; top-level `await` is allowed.

    `changes`: (old, new) replacements in its text; the old text must be present.
    """
    code = sample.code.replace(*NAMESPACES)
    for old, new in changes:
        assert old in code, f"{sample.name} does not hold {old}"
        code = code.replace(old, new)
    compiled = compile(code, sample.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result
