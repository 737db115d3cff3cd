"""Compares the output of many command lines with that of an earlier commit, byte for byte.

Run from the repository: python tests/support/same_as_before.py COMMIT
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".cache" / "same-as-before"
PROFILES = """\
default_profile = "mine"
[profiles.mine]
provider = "ollama"
model = "llama3.2"
system = "Be brief."
num_ctx = 4096
[profiles.r1]
extends = "openrouter"
model = "deepseek/deepseek-r1"
reasoning = "high"
fallback = ["mine"]
timeout = { connect = 3, first_token = 30 }
[profiles.wrong]
provider = "openai"
temprature = 1
"""
COMMANDS = [
    "chat",
    "stream",
    "vision",
    "models",
    "cot",
    "doctor",
    "init",
    "profiles",
    "keys",
    "pull",
    "help",
]
NESTED = {"profiles": "list show add set remove default path edit", "keys": "list set remove"}
PROVIDERS = [
    "ollama",
    "openai",
    "openrouter",
    "gemini",
    "deepseek",
    "groq",
    "mistral",
    "together",
    "vllm",
    "llamacpp",
]
BODIES = [
    ["chat", "-m", "m1", "What is Python?"],
    ["stream", "-m", "gpt-5", "-s", "Be kind.", "-t", "0.5", "--max-tokens", "9", "hi"],
    ["cot", "-m", "m1", "--effort", "high", "--top-p", "0.9", "--stop", "END", "hi"],
    ["chat", "-m", "m1", "--schema", "schema.json", "-o", "x=[1]", "--no-stream", "hi"],
]


def lines() -> list[list[str]]:
    """Return the command lines."""
    help_lines = [[name, "-h"] for name in COMMANDS]
    help_lines += [[group, name, "-h"] for group in NESTED for name in NESTED[group].split()]
    help_lines += [["help", topic] for topic in ("exit-codes", "profiles", "stdin", "json", "chat")]
    help_lines += [["-h"], ["help"], [], ["--version"], ["nothing"], ["chat", "--modle"]]
    doctor_lines = [["doctor", *more] for more in ([], ["-p", "openai"], ["-p", "r1", "--json"])]
    doctor_lines += [["doctor", "-p", "wrong"], ["doctor", "-p", "none"], ["models", "-p", "mine"]]
    file_lines = [
        ["profiles", *more, "--json"] for more in (["list"], ["show", "r1"], ["path"], [])
    ]
    file_lines += [["profiles"], ["profiles", "show", "mine"], ["profiles", "default"], ["keys"]]
    file_lines += [["profiles", "set", "mine", "tmperature", "1"], ["profiles", "remove", "mine"]]
    file_lines += [["keys", "list", "--json"], ["keys", "remove", "x"], ["pull"], ["init"]]
    chat_lines = [["chat", "-q", "hi"], ["chat", "--json", "hi"], ["chat", "-p", "olama", "hi"]]
    chat_lines += [["chat"], ["vision", "no.png"], ["cot", "--extract", "--elicit", "always", "hi"]]
    chat_lines += [["chat", "--json", "--jsonl", "hi"], ["chat", "-x", "--jsonl", "hi"]]
    chat_lines += [
        ["chat", "-x", "--schema", "schema.json", "hi"],
        ["chat", "--schema", "no", "hi"],
    ]
    body_lines = [
        [command, "-p", provider, "--dry-run", *more]
        for provider, (command, *more) in itertools.product(PROVIDERS, BODIES)
    ]
    image_lines = [
        ["vision", "-p", name, "-m", "m", "--dry-run", "dot.png", "describe"]
        for name in PROVIDERS[:4]
    ]
    return [*help_lines, *doctor_lines, *file_lines, *chat_lines, *body_lines, *image_lines]


DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "000002000001e221bc330000000049454e44ae426082"
)


def run(tree: Path, line: list[str]) -> list[str | int]:
    """Return exit code, stdout and stderr of one command line."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        (folder / "schema.json").write_text('{"type": "object", "properties": {}}')
        (folder / "dot.png").write_bytes(DOT)
        profiles = folder / "profiles.toml"
        profiles.write_text(PROFILES)
        profiles.chmod(0o600)
        env = {
            "PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": str(tree),
            "EASYLLM_PROFILES": str(profiles), "OLLAMA_HOST": "http://127.0.0.1:9",
            "OPENROUTER_BASE_URL": "http://127.0.0.1:9/v1", "COLUMNS": "100",
            "VLLM_BASE_URL": "http://127.0.0.1:9/v1", "LLAMACPP_BASE_URL": "http://127.0.0.1:9/v1",
        }  # fmt: skip
        ran = subprocess.run(
            [sys.executable, "-m", "easyllm_cli", *line], cwd=home, env=env,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    outputs = (output.replace(home, "HOME") for output in (ran.stdout, ran.stderr))
    return [ran.returncode, *(re.sub(r'"ms": \d+', '"ms": 0', output) for output in outputs)]


def output_of_all_lines(tree: Path) -> dict[str, list[str | int]]:
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda line: run(tree, line), lines())
        return {" ".join(line): result for line, result in zip(lines(), results, strict=True)}


def before(commit: str) -> dict[str, list[str | int]]:
    """Return the output at the commit, which is cached because it does not change."""
    cache_file = KEPT / f"{commit}.json"
    if not cache_file.exists():
        tree = KEPT / commit
        tree.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(
            ["git", "archive", commit, "easyllm_cli"], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
        cache_file.write_text(json.dumps(output_of_all_lines(tree)))
    results: dict[str, list[str | int]] = json.loads(cache_file.read_text())
    return results


def main() -> int:
    earlier, now = before(sys.argv[1]), output_of_all_lines(ROOT)
    changed = [line for line in now if now[line] != earlier.get(line)]
    for line in changed:
        print(f"easyllm {line}\n  before: {earlier.get(line)}\n  now:    {now[line]}")
    print(f"{len(now) - len(changed)} of {len(now)} command lines print the same")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main())
