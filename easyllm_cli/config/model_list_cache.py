"""Cache of each profile's models from the last `models` command.

The ids are for shell completion, and what the server said of each model for automatic choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..private_file import write_private_file
from .paths import state_folder

if TYPE_CHECKING:
    from ..events import Model

MAX_MODELS = 2000  # per profile
MAX_CACHE_BYTES = 1024 * 1024
# A word that a shell takes literally: no expansion, command or escape sequence.
SHELL_SAFE_WORD = re.compile(r"[\w.:/@+=,-]{1,200}")
# A full disk, an unknown home folder, a name that cannot be a file name.
IGNORED_FILE_ERRORS = (OSError, RuntimeError, ValueError)


def is_shell_safe(text: str) -> bool:
    """Return whether a shell takes the text literally."""
    return SHELL_SAFE_WORD.fullmatch(text) is not None


def save_model_ids(profile_name: str, model_ids: Iterable[str]) -> None:
    """Save the ids in a file of mode 0600 in the state folder; write errors are ignored."""
    lines = [f"{model_id}\n" for model_id in model_ids if is_shell_safe(model_id)][:MAX_MODELS]
    with suppress(*IGNORED_FILE_ERRORS):
        write_private_file(cache_path(profile_name), "".join(lines).encode())


def load_model_ids(profile_name: str) -> list[str]:
    """The saved ids; an empty list when the file cannot be read."""
    try:
        with cache_path(profile_name).open("rb") as file:
            text = file.read(MAX_CACHE_BYTES).decode("utf-8", "replace")
    except IGNORED_FILE_ERRORS:
        return []
    return [line for line in text.splitlines() if is_shell_safe(line)][:MAX_MODELS]


def save_model_facts(profile_name: str, url: str, models: Iterable[Model]) -> None:
    """Save what the server at this endpoint said of its models; write errors are ignored."""
    import json

    facts = {
        model.id: {
            key: value
            for key in ("context", "vision", "reasoning")
            if (value := getattr(model, key)) is not None
        }
        for model in models
    }
    known = dict([item for item in facts.items() if item[1]][:MAX_MODELS])
    with suppress(*IGNORED_FILE_ERRORS):
        data = json.dumps({"endpoint": url, "models": known}).encode("utf-8", "replace")
        write_private_file(facts_path(profile_name), data)


def load_model_facts(profile_name: str, url: str) -> Mapping[str, Mapping[str, Any]]:
    """What the server at this endpoint said, by model: `context`, `vision`, `reasoning` if known.

    Empty when nothing was saved, or another endpoint said it.
    """
    import json

    try:
        with facts_path(profile_name).open("rb") as file:
            saved = json.loads(file.read(MAX_CACHE_BYTES))
        is_same = saved["endpoint"] == url
        models: dict[str, dict[str, Any]] = saved["models"] if is_same else {}
        return {name: _valid_facts(facts) for name, facts in models.items()}
    except (*IGNORED_FILE_ERRORS, LookupError, TypeError, AttributeError):
        return {}


def _valid_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of the right type: the file may be damaged."""
    context = facts.get("context")
    flags = {key: facts[key] for key in ("vision", "reasoning") if facts.get(key) in (True, False)}
    is_count = isinstance(context, int) and context > 0
    return {**flags, **({"context": context} if is_count else {})}


def facts_path(profile_name: str) -> Path:
    """Path of what is known of a profile's models. Raises as `cache_path`."""
    return cache_path(profile_name).with_suffix(".json")


def cache_path(profile_name: str) -> Path:
    """Path of a profile's model list; the profile's name is percent-encoded.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return state_folder() / "models" / f"{quote(profile_name, safe='')}.txt"
