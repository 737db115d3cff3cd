"""Recognizes the task of a prompt by rules: pure text in, the task and its reasons out.

No rule knows what is difficult: a task says what kind of work it is. Where nothing is clear the
task is `chat`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ..config.settings import TASKS
from .cues import CODE_SIGNS, PHRASES, QUESTION_STARTS, TASK_STARTS, UNSPACED
from .reading import EXPRESSION, IDENTIFIER, NUMBER, Reading
from .words import (
    AMOUNTS,
    CODE_NOUNS,
    LANGUAGES,
    LENGTHS,
    MAKE_VERBS,
    OBJECT_ENDS,
    PERSONAL,
    PROSE_NOUNS,
    TECHNOLOGIES,
    WRITE_VERBS,
)

ENOUGH_POINTS = 1.5
MAX_OBJECT_WORDS = 7  # behind a verb such as `write`, until its object must have been named
SHORT_ORDER_WORDS = 9
MAX_REASONS = 3
CHAT = "chat"


class Scores:
    """The points of each task, and what they were given for."""

    def __init__(self) -> None:
        self.points = dict.fromkeys(TASKS, 0.0)
        self.reasons: dict[str, list[str]] = {task: [] for task in TASKS}

    def add(self, task: str, points: float, reason: str) -> None:
        self.points[task] += points
        if reason not in self.reasons[task]:
            self.reasons[task].append(reason)

    def best(self, *but: str) -> float:
        """The most points of any task, but for some."""
        return max(points for task, points in self.points.items() if task not in but)


def find_task(prompt: str) -> tuple[str, list[str]]:
    """The task of a prompt, one of TASKS, and why: names of signs and words of our own lists."""
    scores = score_tasks(prompt)
    best = max(TASKS, key=lambda task: scores.points[task])
    if scores.points[best] < ENOUGH_POINTS:
        return CHAT, []
    return best, scores.reasons[best][:MAX_REASONS]


def score_tasks(prompt: str) -> Scores:
    """The points that all rules give."""
    reading, scores = Reading(prompt), Scores()
    for rule in RULES:
        rule(reading, scores)
    return scores


def _count_phrases(reading: Reading, scores: Scores) -> None:
    """Points for each phrase of the lists in the instruction."""
    for task, groups in PHRASES.items():
        for points, phrases in groups:
            for phrase in phrases:
                if phrase in reading.spaced:
                    scores.add(task, points, f'"{phrase.strip()}"')
    if not reading.instruction.isascii():
        for task, phrases in UNSPACED.items():
            for phrase in phrases:
                if phrase in reading.instruction:
                    scores.add(task, 3, f'"{phrase}"')


def _find_objects(reading: Reading, scores: Scores) -> None:
    """Points for what a verb such as `write` has as its object."""
    for number, word in enumerate(reading.words):
        if word not in MAKE_VERBS:
            continue
        for noun in _object_words(reading.words[number + 1 :]):
            if noun in CODE_NOUNS or noun in TECHNOLOGIES:
                scores.add("code", 3 if noun in CODE_NOUNS else 2, f'"{word} … {noun}"')
                break
            if noun in PROSE_NOUNS:
                scores.add("write", 3, f'"{word} … {noun}"')
                break
        else:
            if word in WRITE_VERBS:
                scores.add("write", 2, f'"{word}"')


def _object_words(words: list[str]) -> Iterator[str]:
    """The words up to the end of a verb's object."""
    for word in words[:MAX_OBJECT_WORDS]:
        if word in OBJECT_ENDS:
            return
        yield word


def _find_nouns(reading: Reading, scores: Scores) -> None:
    """Points for the names of technologies, and for a prompt that begins with what is wanted."""
    words = reading.words
    for noun, end in pairwise(words[:6]):
        if end in OBJECT_ENDS and noun in CODE_NOUNS:
            scores.add("code", 1.5, f'begins with "{noun}"')
        elif end in OBJECT_ENDS and noun in PROSE_NOUNS:
            scores.add("write", 1.5, f'begins with "{noun}"')
    if words and words[0] in TECHNOLOGIES:
        scores.add("code", 1.5, f'begins with "{words[0]}"')
    named = {*words}
    for noun in sorted(named & TECHNOLOGIES)[:2]:
        scores.add("code", 1, f'"{noun}"')
    if named & CODE_NOUNS:
        scores.add("code", 0.5, "words of programming")


def _find_code(reading: Reading, scores: Scores) -> None:
    """Points for signs of a program anywhere in the sample."""
    found = {name for sign, name in CODE_SIGNS if sign in reading.sample}
    for name in sorted(found):
        scores.add("code", 2, name)
    names = {*re.findall(IDENTIFIER, reading.sample)}
    if names:
        scores.add("code", min(len(names), 3), "names as in a program")


def _find_numbers(reading: Reading, scores: Scores) -> None:
    """Points for numbers to compute with: an expression, or a question after several numbers."""
    problem = reading.instruction if reading.is_long else reading.sample.lower()
    if re.search(EXPRESSION, problem):
        scores.add("math", 1.5, "an expression")
    count = len(re.findall(NUMBER, reading.instruction if reading.has_text else problem))
    if scores.points["math"] and count >= 2:
        scores.add("math", 1, "several numbers")
    amounts = count + sum(word in AMOUNTS for word in reading.words)
    if amounts >= 3 and not reading.is_long and reading.is_question:
        scores.add("math", 1.5 if amounts == 3 else 2, "a question after several numbers")


def _weigh_translation(reading: Reading, scores: Scores) -> None:
    """A translation needs a language by name; into a programming language it is code."""
    languages = {*reading.words} & LANGUAGES
    if (
        languages
        and reading.has_text
        and (scores.points["translate"] or len(reading.words) <= SHORT_ORDER_WORDS)
    ):
        scores.add("translate", 2, f'"{min(languages)}"')
    if not languages and scores.points["translate"] < 3:
        scores.points["translate"] = 0.0
    if scores.points["code"] >= ENOUGH_POINTS and not languages:
        scores.points["translate"] = 0.0


def _weigh_given_text(reading: Reading, scores: Scores) -> None:
    """A text that is given makes it likelier that something is wanted of it."""
    if not reading.has_text:
        return
    named = {*reading.words}
    if named & LENGTHS and (
        re.search(NUMBER, reading.instruction) or named & AMOUNTS or "one" in named
    ):
        scores.add("summarize", 2, "a length")
    for task in ("extract", "summarize"):
        if reading.is_long and scores.points[task] >= 1:
            scores.add(task, 1, "a text is given")
    if scores.best("extract", CHAT) < 1.5 and not named & PERSONAL:
        if reading.is_question:
            scores.add("extract", 2, "a question about a text that is given")
        elif reading.is_long:
            scores.add("extract", 2, "a text to work on is given")
        elif len(reading.words) <= SHORT_ORDER_WORDS:
            scores.add("extract", 1, "a text is given")


def _weigh_questions(reading: Reading, scores: Scores) -> None:
    """A question about the world is chat, even if it is about computing or writing."""
    opening = " ".join(reading.words[:5])
    has_signs = any(reason[0] != '"' for reason in scores.reasons["code"])
    is_question = opening.startswith(QUESTION_STARTS)
    is_task = opening.startswith(TASK_STARTS)
    if (is_task or not is_question) and {*reading.words} & TECHNOLOGIES:
        scores.add("code", 1, "a task with a technology")
    if is_question and not is_task and not reading.has_text:
        if not has_signs:
            scores.points["code"] -= 2
        scores.points["write"] -= 2
        scores.points["summarize"] -= 1
        scores.points["extract"] -= 1


RULES = (
    _count_phrases,
    _find_objects,
    _find_nouns,
    _find_code,
    _find_numbers,
    _weigh_translation,
    _weigh_given_text,
    _weigh_questions,
)
