"""JSON with too much structure for an answer is refused before it is parsed.

Parsing it would take far more memory than its bytes. tests/cli/test_json_memory.py measures whole
commands.
"""

from typing import Any

import pytest

from easyllm_cli.errors import MalformedAnswer
from easyllm_cli.transport.bounded_json import parse_json, require_bounded_memory
from tests.support.dense_json import GOOD_ANSWER, MIB, dense_answer
from tests.support.standins.script import compact

DENSE = {
    "small-objects": b'{"a":0},', "arrays": b"[],", "numbers": b"999,", "strings": b'"ab",',
    "deep": b"[[[[[0]]]]],",
}  # fmt: skip


def assert_refused(data: bytes, words: str = "too much memory") -> None:
    with pytest.raises(MalformedAnswer, match=words):
        parse_json(data)


@pytest.mark.parametrize("name", DENSE)
def test_dense_json_is_refused(name: str) -> None:
    assert_refused(dense_answer(DENSE[name], 8 * MIB))


def test_different_keys_are_refused() -> None:
    keys = b",".join(b'"k%d":0' % number for number in range(700_000))
    assert_refused(GOOD_ANSWER + b"{" + keys + b"}}")


@pytest.mark.parametrize("letter", ["\U0001f642".encode(), b"\\ud83d\\ude42"])
def test_wide_characters_have_a_lower_cap(letter: bytes) -> None:
    assert_refused(b'{"more":"' + b"x" * (8 * MIB) + letter + b'"}', "8 MiB")
    short = parse_json(b'{"more":"' + b"x" * (7 * MIB) + letter + b'"}')
    assert short["more"][-1] == "\U0001f642"


def probability(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.1234567, "bytes": [32, 119, 111, 114]}


def test_log_probabilities_of_8000_tokens_pass() -> None:
    each = [probability(f" w{number}") for number in range(20)]
    token = compact({**probability(" word"), "top_logprobs": each})
    require_bounded_memory(b"[" + b",".join([token] * 8000) + b"]")
