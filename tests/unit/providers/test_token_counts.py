"""Token counts: the fields in which vendors send them, and how they add them up."""

from typing import Any

import pytest

from easyllm_cli.events import Usage
from easyllm_cli.providers.gemini.decoder import parse_gemini_usage as google_usage
from easyllm_cli.providers.ollama import OllamaDecoder
from easyllm_cli.providers.openai.chat_decoder import ChatDecoder, parse_openai_usage
from tests.support.asking import Json

REASONING: Json = {"completion_tokens_details": {"reasoning_tokens": 300}}


def counts(prompt: int | None, completion: int | None, total: int | None) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


@pytest.mark.parametrize(("usage", "completion"), [
    (counts(5, 2, 307) | REASONING, 302),  # xAI: reasoning is not in completion_tokens
    (counts(5, 302, 307) | REASONING, 302),  # OpenAI: reasoning is in it
    (counts(5, 2, None) | REASONING, 302),  # more reasoning than completion_tokens: not in it
    (counts(5, 2, 307) | {"reasoning_tokens": 300}, 302),
    (counts(5, 350, 355), 350),
    (counts(5, None, 307) | REASONING, None),
    ({"input_tokens": 5, "output_tokens": 2, "total_tokens": 307,
      "output_tokens_details": {"reasoning_tokens": 300}}, 302),
])  # fmt: skip
def test_completion_tokens_include_reasoning(usage: Json, completion: int | None) -> None:
    assert parse_openai_usage(usage).completion_tokens == completion


@pytest.mark.parametrize(("usage", "expected"), [
    ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
    (counts(3, 4, 7) | {"reasoning_tokens": 2, "cached_tokens": 1}, Usage(3, 4, 7, 2, 1)),
    (counts(3, 4, 7) | {"prompt_cache_hit_tokens": 2}, Usage(3, 4, 7, None, 2)),
    (counts(3, 4, 7) | {"prompt_tokens_details": {"cached_tokens": 0}}, Usage(3, 4, 7, None, 0)),
    (counts(3, 4, 7) | {"prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2}},
     Usage(3, 4, 7, None, 1, cache_write_tokens=2)),
    ({"input_tokens": 3, "input_tokens_details": {"cache_write_tokens": 0}},
     Usage(3, cache_write_tokens=0)),
    ({"prompt_tokens": 3.0, "completion_tokens": 4.5}, Usage(3)),
])  # fmt: skip
def test_counts_by_other_names(usage: Json, expected: Usage) -> None:
    assert parse_openai_usage(usage) == expected


@pytest.mark.parametrize("wrap", [
    lambda usage: {"usage": usage}, lambda usage: {"x_groq": {"usage": usage}},
    lambda usage: {"choices": [{"delta": {}, "finish_reason": "stop", "usage": usage}]},
])  # fmt: skip
def test_counts_in_other_fields(wrap: Any) -> None:
    decoder = ChatDecoder(True)
    assert [*decoder.read(wrap(counts(3, 4, 7)))] == []
    assert decoder.usage == Usage(3, 4, 7)


def test_empty_counts_replace_nothing() -> None:
    decoder = ChatDecoder(True)
    for usage in (counts(3, 4, 7), {}, counts(None, None, None)):
        assert [*decoder.read({"choices": [], "usage": usage})] == []
    assert decoder.usage == Usage(3, 4, 7)


def test_ollama_counts_survive_a_second_end() -> None:
    decoder = OllamaDecoder(True)
    for more in ({"prompt_eval_count": 3, "eval_count": 4}, {}):
        assert [*decoder.read({"done": True, "done_reason": "stop"} | more)] == []
    assert decoder.usage == Usage(3, 4, 7)


@pytest.mark.parametrize(("usage", "expected"), [
    ((10, 5, 20, 35), Usage(10, 25, 35, 20)),  # reasoning is not in candidatesTokenCount
    ((10, 25, 20, 35), Usage(10, 25, 35, 20)),  # reasoning is in it
    ((10, 5, None, 15), Usage(10, 5, 15)),
])  # fmt: skip
def test_gemini_reasoning_counts(usage: tuple[int | None, ...], expected: Usage) -> None:
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
    assert google_usage(dict(zip(names, usage, strict=True))) == expected


def test_gemini_tool_tokens_are_part_of_the_prompt() -> None:
    usage = {"promptTokenCount": 10, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 5,
             "totalTokenCount": 22}  # fmt: skip
    assert google_usage(usage) == Usage(17, 5, 22)


@pytest.mark.parametrize("value", [
    2**40 + 1, 10**15, 10**400, 1e300, float("inf"), float("nan"), -1, -1e300, 1.5, True, "5", None,
])  # fmt: skip
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_count_that_cannot_be_true_is_no_count(value: Any, names: tuple[str, str]) -> None:
    """Of a chat, of Ollama and of Gemini: sums of such numbers would overflow."""
    first, second = (value if name == "a" else 3 for name in names)
    known = (None, 3) if names[0] == "a" else (3, None)
    usage = parse_openai_usage(counts(first, second, None))
    assert (usage.prompt_tokens, usage.completion_tokens) == known
    decoder = OllamaDecoder(True)
    assert [*decoder.read({"done": True, "prompt_eval_count": first, "eval_count": second})] == []
    assert decoder.usage is not None
    assert (decoder.usage.prompt_tokens, decoder.usage.completion_tokens) == known
    read = google_usage({"promptTokenCount": first, "candidatesTokenCount": second})
    assert (read.prompt_tokens, read.completion_tokens) == known


@pytest.mark.parametrize("value", [0, 2**40, 3.0])
def test_a_count_that_may_be_true_is_kept(value: float) -> None:
    assert parse_openai_usage(counts(7, None, None) | {"total_tokens": value}).total_tokens == value
