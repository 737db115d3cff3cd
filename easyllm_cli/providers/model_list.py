"""Reads model lists: OpenAI's shape, and what llama.cpp, vLLM, Mistral and others add to it."""

from __future__ import annotations

from typing import Any

from ..errors import MalformedAnswer
from ..events import Model
from ..transport.response_errors import error_from_body, find_error_message
from .json_values import parse_count, parse_object


def parse_model_rows(body: Any, key: str) -> list[dict[str, Any]]:
    """The objects of a list answer; a bare list is taken too (together.ai answers with one).

    Raises:
        MalformedAnswer: there is no such list. EasyLLMError: the server says why, under 200.
    """
    found = body.get(key) if isinstance(body, dict) else body
    if isinstance(body, dict) and not isinstance(found, list):
        if find_error_message(body):
            raise error_from_body(body)
        if key in body and found is None:
            return []  # how Go writes an empty list
    if not isinstance(found, list):
        raise MalformedAnswer("the server sent no model list", hint="check the endpoint")
    return [row for row in found if isinstance(row, dict)]


def model_from_row(row: dict[str, Any]) -> Model:
    """One row of /models; what a server does not say stays None (WIRE §1f, §2)."""
    meta = parse_object(row.get("meta"))
    modalities = parse_object(row.get("architecture")).get("input_modalities")
    vision = parse_object(row.get("capabilities")).get("vision")
    sees = vision if isinstance(vision, bool) else None
    if isinstance(modalities, list):
        sees = "image" in modalities
    named = (row.get(key) for key in ("max_model_len", "context_length", "max_context_length"))
    contexts = (
        parse_count(value) for value in (*named, meta.get("n_ctx"), meta.get("n_ctx_train"))
    )
    return Model(str(row.get("id")), next(filter(None, contexts), None), sees)
