"""The task of a prompt: our own labelled prompts, and words that look like a task and are none."""

from collections import Counter

import pytest

from easyllm_cli.config.settings import TASKS
from easyllm_cli.routing import cues, words
from easyllm_cli.routing.task import find_task
from tests.support.routing import SETS, labelled_prompts

LEAST_ACCURACY = {"tuned": 0.75, "held_out": 0.75, "unseen": 0.7}
LEAST_PRECISION = {"tuned": 0.85, "held_out": 0.85, "unseen": 0.8}


@pytest.mark.parametrize("name", SETS)
def test_classes_of_our_own_prompts(name: str) -> None:
    prompts = labelled_prompts(name)
    found = [(task, find_task(prompt)[0]) for task, prompt in prompts]
    assert {task for task, _ in found} == set(TASKS)
    right = sum(label == task for label, task in found)
    assert right / len(found) >= LEAST_ACCURACY[name]
    named = [(label, task) for label, task in found if task != "chat"]
    by_task = {"all": named} if name == "unseen" else {}
    for task in {task for _, task in named} if name != "unseen" else ():
        by_task[task] = [pair for pair in named if pair[1] == task]
    for task, pairs in by_task.items():
        precision = sum(label == task for label, task in pairs) / len(pairs)
        assert precision >= LEAST_PRECISION[name], task


def test_there_are_enough_prompts_and_none_twice() -> None:
    texts = Counter(text for name in SETS for _, text in labelled_prompts(name))
    assert len(texts) >= 200
    assert not [text for text, count in texts.items() if count > 1]


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   \n\n ",
        "What is the capital of the country that you would try first?",  # api, try
        "Is the letter of the law more important?",
        "Tell me something about the Java sea",
        "Who was the first to write about the plague?",
        "What is the translation bureau of the EU?",
        "Where does the word \\boxed come from?",  # the form of an answer is no task
    ],
)
def test_what_only_looks_like_a_task_is_chat(prompt: str) -> None:
    assert find_task(prompt) == ("chat", [])


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("x " * 100_000 + "\n\nTranslate this into French", "translate"),
        ("Summarize the following text.\n\n" + "The cat sat on the mat. " * 5_000, "summarize"),
        ("WRITE A PYTHON FUNCTION", "code"),
        ("übersetze ins Englische: Guten Tag, wie geht es Ihnen?", "translate"),
        ("\ud800 write a poem", "write"),  # a lone surrogate, as a file name may hold
    ],
)
def test_order_at_either_end_of_a_long_prompt_is_found(prompt: str, task: str) -> None:
    assert find_task(prompt)[0] == task


def test_auto_8_reasons_hold_words_of_our_lists_only() -> None:
    """What is told of a prompt, in --json and the history, is no text of the user's."""
    ours = {*words.MAKE_VERBS, *words.CODE_NOUNS, *words.PROSE_NOUNS, *words.TECHNOLOGIES}
    ours |= words.LANGUAGES
    phrases = {
        phrase.strip()
        for groups in cues.PHRASES.values()
        for _, group in groups
        for phrase in group
    } | {phrase for group in cues.UNSPACED.values() for phrase in group}
    quoted = []
    for name in SETS:
        for _, prompt in labelled_prompts(name):
            for reason in find_task(f"{prompt} Xyzzy Secret")[1]:
                assert "xyzzy" not in reason
                quoted += reason.split('"')[1::2]
    assert len(quoted) > 100
    for part in quoted:
        assert part in phrases or {*part.split(" … ")} <= ours, part
