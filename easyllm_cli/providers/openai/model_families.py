"""Table of OpenAI's model families: which ones reason and which refuse sampling parameters.

As of July 2026, from pydantic-ai's table, which its authors checked against the live API. Where the
table is outdated, the server answers 400 and unsupported_parameters.py drops the parameter.
"""

from __future__ import annotations

import re

# (prefix, reasons by default, sampling: "never", "yes", "off" = while reasoning is off).
# Longer prefixes first.
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
# Only OpenAI serves these, also when a gateway passes the request on.
OPENAI_ONLY_MODELS = re.compile(r"gpt-(?!oss)|chatgpt-|o\d")


def _find_family(model: str) -> tuple[bool, str] | None:
    """Return (reasons by default, sampling) of the model's family; None = not in the table."""
    name = model.rpartition("/")[2].lower()
    if O_SERIES.match(name):
        return True, "never"
    return next(
        ((reasons, sampling) for prefix, reasons, sampling in FAMILIES if name.startswith(prefix)),
        None,
    )


def is_openai_only_model(model: str) -> bool:
    """Whether only OpenAI serves the model; gpt-oss, for example, runs anywhere."""
    return OPENAI_ONLY_MODELS.match(model.rpartition("/")[2].lower()) is not None


def can_reason(model: str) -> bool:
    """Whether the model's family accepts reasoning_effort."""
    family = _find_family(model)
    return family is not None and family != (False, "yes")


def takes_sampling(model: str, effort: str | None) -> bool:
    """Whether temperature and top_p may be sent with this effort (None = no effort is sent)."""
    family = _find_family(model)
    if family is None:
        return True
    reasons, sampling = family
    reasoning_is_off = effort == "off" or (effort is None and not reasons)
    return sampling == "yes" or (sampling == "off" and reasoning_is_off)
