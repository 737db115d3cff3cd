"""Measures automatic choice: how well tasks are recognized, and what a choice costs.

    python benchmarks/routing.py [-n RUNS]           our own prompts, and the CPU of a choice
    python benchmarks/routing.py --data FOLDER       public sets, which are not in the repository

FOLDER holds some of these files, each under its own name:

- `WizardLM_testset.jsonl` of nlpxucan/WizardLM (rows with `Skill` and `Instruction`) and
  `question.jsonl` of MT-bench in lm-sys/FastChat (`category`, `turns`): tasks only
- two files of `cached_results` in RouteWorks/RouterArena (rows with `global_index`, `question` and
  `evaluation_result.score`), `claude-3-haiku-20240307.jsonl` as the weak and
  `gemini-2.0-flash-001.jsonl` as the strong model
- `mmlu_*.csv` and `gsm8k_responses.csv` of lm-sys/RouteLLM (columns `prompt` and one for each
  model), Mixtral as the weak and GPT-4 as the strong model

For pairs of models it prints the share of the gap between both that is recovered when math and code
(and write) go to the strong one, beside the share of strong calls, which is what a random choice
recovers. RouterArena asks not to tune routers on its data. Run it by hand, not in CI.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from easyllm_cli.routing.task import find_task  # noqa: E402
from tests.support.routing import SETS, labelled_prompts  # noqa: E402

Labelled = tuple[str, str]  # task, prompt
Scored = tuple[str, float, float]  # prompt, score of the weak and of the strong model
RUNS = 21
CHAT = "chat"
STRONG_TASKS = (("math", "code"), ("math", "code", "write"))
WIZARDLM, MT_BENCH = "WizardLM_testset.jsonl", "question.jsonl"
# What is not named here is knowledge or ambiguous; the latter is left out.
WIZARDLM_TASKS = {
    "Math": "math", "Code Generation": "code", "Code Debug": "code", "Writting": "write",
    "Academic Writing": "write",
}  # fmt: skip
WIZARDLM_AMBIGUOUS = {
    "Reasoning", "Complex Format", "Multilingual", "Counterfactual", "Roleplay", "Toxicity",
    "Computer Science",
}  # fmt: skip
MT_BENCH_TASKS = {
    "writing": "write", "roleplay": "write", "math": "math", "coding": "code",
    "extraction": "extract", "stem": CHAT, "humanities": CHAT,
}  # fmt: skip
ARENA_WEAK, ARENA_STRONG = "claude-3-haiku-20240307.jsonl", "gemini-2.0-flash-001.jsonl"
ROUTELLM_WEAK, ROUTELLM_STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
# One choice in a new process, with what a chat has imported before it.
ONE_CHOICE = """
import sys, time
import easyllm_cli.cli.answer, easyllm_cli.cli.answer_run
from easyllm_cli.config.profiles_file import read_profiles
from easyllm_cli.messages import Message
profiles = read_profiles()
auto = profiles.resolve_profile("auto")
before = time.process_time()
from easyllm_cli.config.auto_profile import find_candidates
from easyllm_cli.routing import choose_route
choose_route(auto, find_candidates(auto, profiles), [Message("user", (sys.argv[1],))])
print((time.process_time() - before) * 1000)
"""
PROFILES = """
[profiles.auto]
provider = "auto"
candidates = ["mini", "r1", "here"]
prefer = "{prefer}"
strong = {{ code = "r1" }}
[profiles.mini]
provider = "openai"
model = "gpt-4o-mini"
[profiles.r1]
provider = "openrouter"
model = "deepseek/deepseek-r1"
[profiles.here]
provider = "ollama"
model = "llama3.2"
"""
PROMPTS = {"short prompt": "Write a Python function that sorts.", "100 kB": "word and " * 11_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder with public sets")
    parser.add_argument("-n", type=int, default=RUNS, metavar="RUNS", help="processes to measure")
    arguments = parser.parse_args()
    if arguments.data is not None:
        measure_data(arguments.data)
        return
    for name in SETS:
        report_tasks(f"our own prompts, {name}", labelled_prompts(name))
    measure_cpu(arguments.n)


def report_tasks(name: str, prompts: Sequence[Labelled]) -> None:
    """Print how many tasks are right, and precision and recall of each."""
    found = [(label, find_task(prompt)[0]) for label, prompt in prompts]
    right = sum(label == task for label, task in found)
    usual = Counter(label for label, _ in found).most_common(1)[0][1]
    named = [(label, task) for label, task in found if task != CHAT]
    named_right = sum(label == task for label, task in named)
    print(
        f"{name}: {right}/{len(found)} right ({right / len(found):.1%}; always the most frequent "
        f"task: {usual / len(found):.1%}); tasks but chat: precision {named_right}/{len(named)}"
    )
    for task in sorted({label for label, _ in found} | {task for _, task in found}):
        hits = sum(label == each == task for label, each in found)
        called = sum(each == task for _, each in found)
        labelled = sum(label == task for label, _ in found)
        print(f"  {task:<10} precision {hits}/{called}  recall {hits}/{labelled}")


def measure_data(folder: Path) -> None:
    """Measure on each set of which the files are there."""
    both: list[Labelled] = []
    if (folder / WIZARDLM).exists():
        both += report_set("WizardLM", read_wizardlm(folder / WIZARDLM))
    if (folder / MT_BENCH).exists():
        both += report_set("MT-bench", read_mt_bench(folder / MT_BENCH))
    if both:
        report_tasks("WizardLM and MT-bench", both)
    if (folder / ARENA_WEAK).exists() and (folder / ARENA_STRONG).exists():
        report_gap("RouterArena", list(read_arena(folder)))
    scored = list(read_routellm(folder))
    if scored:
        report_gap("MMLU and GSM8K of RouteLLM", scored)


def report_set(name: str, prompts: Iterable[Labelled]) -> list[Labelled]:
    labelled = list(prompts)
    report_tasks(name, labelled)
    return labelled


def report_gap(name: str, rows: Sequence[Scored]) -> None:
    """Print the share of the gap that choosing by task recovers."""
    weak = statistics.mean(row[1] for row in rows)
    strong = statistics.mean(row[2] for row in rows)
    print(f"{name}: {len(rows)} prompts, weak {weak:.3f}, strong {strong:.3f}")
    if strong <= weak:
        print("  no gap to recover")
        return
    tasks = [find_task(prompt)[0] for prompt, _, _ in rows]
    for chosen in STRONG_TASKS:
        is_strong = [task in chosen for task in tasks]
        score = statistics.mean(
            row[2] if upgraded else row[1] for row, upgraded in zip(rows, is_strong, strict=True)
        )
        share = statistics.mean(is_strong)
        gap = (score - weak) / (strong - weak)
        print(f"  {', '.join(chosen)} -> strong: {share:.1%} of the calls, gap recovered {gap:.2f}")


def read_wizardlm(path: Path) -> Iterator[Labelled]:
    for row in read_json_lines(path):
        if row["Skill"] not in WIZARDLM_AMBIGUOUS:
            yield WIZARDLM_TASKS.get(row["Skill"], CHAT), row["Instruction"]


def read_mt_bench(path: Path) -> Iterator[Labelled]:
    for row in read_json_lines(path):
        if row["category"] in MT_BENCH_TASKS:
            yield MT_BENCH_TASKS[row["category"]], row["turns"][0]


def read_arena(folder: Path) -> Iterator[Scored]:
    """The prompts that both models answered and that have a score."""
    strong = {row["global_index"]: score_of(row) for row in read_json_lines(folder / ARENA_STRONG)}
    for row in read_json_lines(folder / ARENA_WEAK):
        weak_score, strong_score = score_of(row), strong.get(row["global_index"])
        if weak_score is not None and strong_score is not None:
            yield row["question"], weak_score, strong_score


def score_of(row: dict[str, Any]) -> float | None:
    result = row.get("evaluation_result")
    score = result.get("score") if isinstance(result, dict) else None
    return float(score) if isinstance(score, int | float) else None


def read_routellm(folder: Path) -> Iterator[Scored]:
    csv.field_size_limit(10**9)
    for path in sorted([*folder.glob("mmlu_*.csv"), *folder.glob("gsm8k_responses.csv")]):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                scores = (row[ROUTELLM_WEAK] == "True", row[ROUTELLM_STRONG] == "True")
                yield row["prompt"], float(scores[0]), float(scores[1])


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def measure_cpu(runs: int) -> None:
    """Print the CPU of a choice among three candidates, its imports included, in new processes."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HOME": folder, "OPENAI_API_KEY": "x"}
        environment |= {"OPENROUTER_API_KEY": "x", "PYTHONPATH": str(ROOT)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for kind in ("CONFIG", "DATA", "STATE"):
            environment[f"XDG_{kind}_HOME"] = str(Path(folder, kind.lower()))
        file = Path(folder, "profiles.toml")
        environment["EASYLLM_PROFILES"] = str(file)
        print(f"CPU milliseconds of a choice, imports included; {runs} processes each")
        for prefer in ("order", "cheap", "fast"):
            file.write_text(PROFILES.format(prefer=prefer))
            file.chmod(0o600)
            for name, prompt in PROMPTS.items():
                times = [run_choice(prompt, environment) for _ in range(runs + 1)][1:]
                print(
                    f"  prefer = {prefer:<5} {name:<12} least {min(times):5.1f}"
                    f"  median {statistics.median(times):5.1f}"
                )


def run_choice(prompt: str, environment: dict[str, str]) -> float:
    """The CPU of one choice."""
    command = [sys.executable, "-c", ONE_CHOICE, prompt]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


if __name__ == "__main__":
    main()
