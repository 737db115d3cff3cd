"""A valid value for any setting, made from its declaration."""

from typing import Any

from easyllm_cli.config.setting_values import Setting, check_cache_time, check_duration
from easyllm_cli.config.settings import ANSWER_CHECKS, check_answer_checks

BY_TYPE: dict[str, Any] = {
    "bool": True, "int": 9, "float": 9.0, "str": "/x", "Secret": "sk-1", "list[str]": ["x"],
    "dict[str, str]": {"X-A": "1"}, "dict[str, Any]": {"a": 1}, "Timeout": {"idle": 5},
    "dict[str, float]": {"input": 1.0, "output": 2.0},
}  # fmt: skip


def example_value(setting: Setting) -> Any:
    """A value that the setting takes and that is not its default."""
    if setting.choices:
        return next(word for word in setting.choices if word != setting.default)
    if setting.type.startswith("dict[str, float]"):
        return {key: number for number, key in enumerate(setting.subkeys, 1)}
    if setting.subkeys and setting.type.startswith("dict[str, str]"):
        return dict.fromkeys(setting.subkeys, "x")
    if setting.convert is check_answer_checks:
        return [*ANSWER_CHECKS]
    if setting.maximum is not None:
        return type(setting.maximum)(setting.maximum)
    if setting.convert in (check_cache_time, check_duration):
        return "24h"
    return BY_TYPE[setting.type.partition(" | ")[0]]
