"""Reads model lists: OpenAI's shape, and what llama.cpp, vLLM, Mistral and others add to it."""

from __future__ import annotations

from typing import Any

from ..errors import MalformedAnswer
from ..events import Model


def rows(body: Any, key: str) -> list[dict[str, Any]]:
    """The objects of a list answer; a bare list is taken too (together.ai answers with one).

    Raises:
        MalformedAnswer: there is no such list.
    """
    found = body.get(key) if isinstance(body, dict) else body
    if not isinstance(found, list):
        raise MalformedAnswer("the server sent no model list", hint="check the endpoint")
    return [row for row in found if isinstance(row, dict)]


def model_of(row: dict[str, Any]) -> Model:
    """One row of /models; what a server does not say stays None (WIRE §1f, §2)."""
    meta = row.get("meta") or {}
    architecture = row.get("architecture") or {}
    capabilities = row.get("capabilities") or {}
    modalities = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    sees = "image" in modalities if isinstance(modalities, list) else None
    if sees is None and isinstance(capabilities, dict):
        sees = capabilities.get("vision")
    context = (
        row.get("max_model_len")
        or row.get("context_length")
        or row.get("max_context_length")
        or (isinstance(meta, dict) and (meta.get("n_ctx") or meta.get("n_ctx_train")))
    )
    return Model(str(row.get("id")), context or None, sees)
