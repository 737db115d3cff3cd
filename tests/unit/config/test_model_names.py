"""Names that are no profile: the -p that their model or vendor needs."""

import pytest

from easyllm_cli.config.model_names import (
    other_provider_hint,
    selector_from_model,
    unknown_profile_hint,
)
from easyllm_cli.vendors import VENDORS

OWN = ["work", "gpt-4o-work"]
KNOWN = [*OWN, *VENDORS]
CLAUDE = (
    "through OpenRouter: -p openrouter:anthropic/claude-{0}, "
    "or through LiteLLM: -p litellm:anthropic/claude-{0}"
)


@pytest.mark.parametrize(
    ("typed", "selector"),
    [
        ("gpt-4o", "openai:gpt-4o"),
        ("GPT-4o", "openai:gpt-4o"),
        ("o1", "openai:o1"),
        ("o3-mini", "openai:o3-mini"),
        ("o4-mini", "openai:o4-mini"),
        ("o365", ""),
        ("gpt-oss:20b", "ollama:gpt-oss:20b"),
        ("llama3.2", "ollama:llama3.2"),
        ("llamacp", ""),
        ("gemini-2.5-pro", "gemini:gemini-2.5-pro"),
        ("grok", "xai:grok-…"),
        ("grok-4", "xai:grok-4"),
        ("deepseek-chat", "deepseek:deepseek-chat"),
        ("mistral-large-latest", "mistral:mistral-large-latest"),
        ("command-r", "cohere:command-r"),
        ("claude-opus-4", "anthropic:claude-opus-4"),
        ("anthropic/claude-opus-4", "openrouter:anthropic/claude-opus-4"),
        ("anthropic:claude-opus-4", "openrouter:anthropic/claude-opus-4"),
        ("anthropic", "openrouter:anthropic/claude-…"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_selector(typed: str, selector: str) -> None:
    assert selector_from_model(typed) == selector


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("gpt-4o", "that is a model of openai: -p openai:gpt-4o"),
        ("claude", "that is a model of anthropic: -p anthropic:claude-…"),
        ("anthropic/claude-opus-4", CLAUDE.format("opus-4")),
        ("gpt-4o-wrk", 'did you mean "gpt-4o-work"?'),
        ("olama", 'did you mean "ollama" or "llamacpp"?'),
        ("aws", "-p bedrock"),
        ("google:gemini-2.5-pro", "-p gemini"),
        ("nonsense", "known: " + ", ".join(KNOWN)),
    ],
)
def test_hint(typed: str, hint: str) -> None:
    assert unknown_profile_hint(typed, OWN, KNOWN) == hint


def test_a_model_of_the_same_provider_needs_no_other() -> None:
    assert other_provider_hint("gpt-4o", "local") == "openai:gpt-4o"
    assert other_provider_hint("gpt-4o", "openai") == ""
    assert other_provider_hint("mistral", "ollama") == "", "it is a model's name there"


def test_every_prefix_leads_to_its_vendor() -> None:
    prefixes = [(prefix, name) for name, row in VENDORS.items() for prefix in row.model_prefixes]
    assert len({prefix for prefix, _ in prefixes}) == len(prefixes)
    for prefix, name in prefixes:
        model = prefix + ("x" if prefix.endswith("-") else "")
        assert selector_from_model(model).startswith(f"{name}:{prefix}")
