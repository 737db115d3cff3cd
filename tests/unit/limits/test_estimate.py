"""The estimate of a prompt's tokens is rather too high than too low."""

import pytest

from easyllm_cli.limits.estimate import estimate_prompt_tokens, estimate_text_tokens
from easyllm_cli.messages import Message


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("words here", 3),
        ("1234", 4),
        ("1. e4 e5", 6),
        ("a\n\n\nb", 3),
        ("a    b", 3),
        ("(x)", 3),
        ("日本", 3),
    ],
)
def test_runs_of_characters_are_counted(text: str, tokens: float) -> None:
    assert estimate_text_tokens(text) == tokens


def test_messages_have_a_margin() -> None:
    messages = [Message("system", ("word",)), Message("user", ("word", "word"))]
    assert estimate_prompt_tokens(messages) == 21  # (2 x 8 + 3) x 1.1
