"""The head of a prompt template: TOML that sets the profile and some options.

It can name no key, endpoint, command or header, so that a template from elsewhere cannot send a
prompt or a key to another host. Options of the command line override it; it overrides the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.profile import validate_setting
from ..config.toml_parsing import parse_toml
from ..errors import ConfigError, suggest_name
from .options.input import InputOptions, ModelOptions
from .options.sampling import SamplingOptions

if TYPE_CHECKING:
    from .request import AnswerRequest

KEY_TYPES: dict[str, type] = {
    "profile": str, "model": str, "system": str, "schema": str,
    "think": bool, "temperature": float, "defaults": dict,
}  # fmt: skip
TYPE_NAMES = {str: "text", bool: "true or false", float: "a number", dict: "a table of texts"}


def read_head(text: str, path: Path) -> dict[str, Any]:
    """The checked values of a head.

    Raises:
        ConfigError: it is no TOML, or a key is unknown or has the wrong type.
    """
    where = str(path)
    head = parse_toml(path, "\n" + text)  # behind the line +++
    for key, value in head.items():
        if key not in KEY_TYPES:
            raise ConfigError(
                f'unknown key "{key}" in the head', where=where, hint=suggest_name(key, KEY_TYPES)
            )
        type_ = KEY_TYPES[key]
        is_right = isinstance(value, int | float if type_ is float else type_)
        if type_ is dict and is_right:
            is_right = all(isinstance(each, str) for each in value.values())
        if not is_right or (type_ is float and isinstance(value, bool)):
            raise ConfigError(f"{key} in the head must be {TYPE_NAMES[type_]}", where=where)
    for name in ("stdin", "prompt"):
        if name in head.get("defaults", {}):
            raise ConfigError(f"{{{name}}} has no default", where=where, hint="leave it out")
    try:
        validate_setting("temperature", head.get("temperature"))
    except ConfigError as error:
        error.where = where
        raise
    if "schema" in head:
        head["schema"] = _schema_path(head["schema"], path)
    return head


def apply_head(request: AnswerRequest, head: Mapping[str, Any]) -> AnswerRequest:
    """The request with the settings of a head, but for those that the command line gives."""
    model, sampling = request.model, request.sampling
    if model.profile is None and model.config_db is None and model.config_id is None:
        chosen = {"profile": head.get("profile"), "model": model.model or head.get("model")}
        model = ModelOptions(**{**vars(model), **chosen})
    settings = {name: head[name] for name in ("temperature", "schema") if name in head}
    if "think" in head and not sampling.think and sampling.effort is None:
        settings |= {"think": True} if head["think"] else {"effort": "off"}
    given = {
        name: value
        for name, value in vars(sampling).items()
        if value is not None and value is not False
    }
    sampling = SamplingOptions(**{**vars(sampling), **settings, **given})
    input = request.input
    if input.system is None and "system" in head:
        input = InputOptions(**{**vars(input), "system": head["system"]})
    return replace(request, model=model, sampling=sampling, input=input)


def _schema_path(name: str, template: Path) -> str:
    """The path of a schema, which must be a file beside the template: its content is sent."""
    if not name or Path(name).name != name:
        raise ConfigError(
            f'schema = "{name}" must name a file beside the template', where=str(template)
        )
    return str(template.parent / name)
