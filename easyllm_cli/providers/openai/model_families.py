"""Which of OpenAI's own model families reason and what they refuse (WIRE §1a, as of 2026-07).

Such tables age: a 400 from the server puts right what is wrong (unsupported_parameters.py).
"""

from __future__ import annotations

import re

# Longest first. (prefix, reasons by default, sampling: "never", "yes", "off" = only without effort)
FAMILIES: tuple[tuple[str, bool, str], ...] = (
    ("gpt-5.1-codex", True, "never"),
    ("gpt-5.1-chat", True, "never"),
    ("gpt-5.2-chat", True, "never"),
    ("gpt-5.3-chat", True, "never"),
    ("gpt-5.2-pro", True, "never"),
    ("gpt-5.4-pro", True, "never"),
    ("gpt-5.5-pro", True, "never"),
    ("gpt-5-chat", False, "yes"),
    ("gpt-5.1", False, "off"),
    ("gpt-5.2", False, "off"),
    ("gpt-5.3", False, "off"),
    ("gpt-5.4", False, "off"),
    ("gpt-5.5", True, "off"),
    ("gpt-5.6", True, "off"),
    ("gpt-5", True, "never"),
)
O_SERIES = re.compile(r"o\d")
OPENAI_ONLY_MODELS = re.compile(
    r"gpt-(?!oss)|chatgpt-|o\d"
)  # served by OpenAI alone, through whatever gateway
# Models that write a lone `</think>`, since their template opens the block (WIRE §9, DESIGN §7).
LONE_CLOSING_TAG_MODELS = re.compile(
    r"deepseek-r1|qwq|qwen3.*thinking|thinking.*2507", re.IGNORECASE
)


def _find_family(model: str) -> tuple[bool, str] | None:
    """(reasons by default, sampling) for a reasoning family, None for every other model."""
    name = model.rpartition("/")[2].lower()
    if O_SERIES.match(name):
        return True, "never"
    return next(
        ((reasons, sampling) for prefix, reasons, sampling in FAMILIES if name.startswith(prefix)),
        None,
    )


def is_openai_only_model(model: str) -> bool:
    """Whether the name is that of a model which OpenAI alone serves: gpt-oss runs anywhere."""
    return OPENAI_ONLY_MODELS.match(model.rpartition("/")[2].lower()) is not None


def can_reason(model: str) -> bool:
    """Whether the model belongs to a family with reasoning_effort."""
    family = _find_family(model)
    return family is not None and family != (False, "yes")


def takes_sampling(model: str, effort: str | None) -> bool:
    """Whether temperature and top_p may be sent beside this effort (None = not sent)."""
    family = _find_family(model)
    if family is None:
        return True
    reasons, sampling = family
    reasoning_is_off = effort == "off" or (effort is None and not reasons)
    return sampling == "yes" or (sampling == "off" and reasoning_is_off)
