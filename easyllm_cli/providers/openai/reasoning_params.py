"""Body fields that turn reasoning on or off, for each OpenAI-compatible vendor."""

from __future__ import annotations

from typing import Any

from ...config.profile import Profile
from ...vendors import Vendor
from .model_families import can_reason, takes_sampling

# Profile values that differ from the values of reasoning_effort.
OPENAI_EFFORT_VALUES = {"off": "none", "max": "xhigh"}


def reasoning_parameters(profile: Profile, vendor: Vendor, model: str) -> dict[str, Any]:
    """Return the body fields for the profile's `reasoning` and `think`; {} = server default."""
    effort = profile.reasoning
    if effort is None and not profile.think:
        return {}
    enabled = effort != "off"
    match vendor.reasoning_style:
        case "switch":
            parameters: dict[str, Any] = {
                "thinking": {"type": "enabled" if enabled else "disabled"}
            }
            effort_value = {"minimal": "low"}.get(effort or "", effort)  # DeepSeek: low, high, max
            return parameters | (
                {"reasoning_effort": effort_value} if effort_value and enabled else {}
            )
        case "adaptive":
            return {"thinking": {"type": "adaptive" if enabled else "disabled"}}
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": enabled}}
        case "enable":
            return {"enable_thinking": enabled}
        case "openai" if effort is None:
            # `--think` without an effort: families that do not reason by default get medium.
            is_off_by_default = can_reason(model) and takes_sampling(model, None)
            return {"reasoning_effort": "medium"} if is_off_by_default else {}
    extra = dict(vendor.reasoning_body or {}) if enabled else {}
    return extra if effort is None else extra | reasoning_effort_parameter(effort)


def reasoning_effort_parameter(effort: str) -> dict[str, Any]:
    """Return OpenAI's `reasoning_effort` field for a profile's effort."""
    return {"reasoning_effort": OPENAI_EFFORT_VALUES.get(effort, effort)}
