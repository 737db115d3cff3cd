"""The line below an answer: tokens, cost, and how full the model's context is."""

import pytest

from easyllm_cli.cli.repl.status_line import format_status_line
from easyllm_cli.config.profile import Profile
from easyllm_cli.events import Usage
from tests.support.history import finished_call

PROFILE = Profile(name="o", provider="ollama", model="llama3.2", num_ctx=1000)


@pytest.mark.parametrize(
    ("usage", "context"),
    [
        (Usage(prompt_tokens=100, completion_tokens=50), "context 15 %"),
        (Usage(prompt_tokens=700, completion_tokens=90), "context 79 %"),
        (Usage(prompt_tokens=700, completion_tokens=100), "context 80 % full: /undo"),
        (Usage(completion_tokens=100), ""),
    ],
)
def test_the_context_is_shown_where_it_is_known(usage: Usage, context: str) -> None:
    line = format_status_line(finished_call("One", profile=PROFILE, usage=usage), (None, None))
    assert ("context" in line) == bool(context)
    assert context in line


@pytest.mark.usefixtures("price_table")
def test_the_price_table_knows_contexts_and_cost_is_shown() -> None:
    profile = Profile(name="a", provider="openai", model="gpt-4o")
    usage = Usage(prompt_tokens=64_000, completion_tokens=0)
    line = format_status_line(finished_call("One", profile=profile, usage=usage), (0.5, "table 1"))
    assert "64000 in, 0 out" in line
    assert "$0.50" in line
    assert "context 50 %" in line


def test_a_model_on_this_machine_has_no_price() -> None:
    assert "$" not in format_status_line(finished_call("One", profile=PROFILE), (0.0, "local"))
