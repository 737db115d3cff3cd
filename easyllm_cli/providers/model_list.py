"""Parses model lists: OpenAI's format with the extra fields of llama.cpp, vLLM, Mistral, ..."""

from __future__ import annotations

from typing import Any

from ..errors import MalformedAnswer
from ..events import Model
from ..transport.response_errors import error_from_body, find_error_message
from .json_values import parse_count, parse_object


def parse_model_rows(body: Any, key: str) -> list[dict[str, Any]]:
    """The objects in `body[key]`, or in a bare list (as together.ai sends).

    Raises:
        MalformedAnswer: there is no list.
        EasyLLMError: the body reports an error, under status 200.
    """
    rows = body.get(key) if isinstance(body, dict) else body
    if isinstance(body, dict) and not isinstance(rows, list):
        if find_error_message(body):
            raise error_from_body(body)
        if key in body and rows is None:
            return []  # Go encodes an empty slice as null
    if not isinstance(rows, list):
        raise MalformedAnswer("the server sent no model list", hint="check the endpoint")
    return [row for row in rows if isinstance(row, dict)]


def model_from_row(row: dict[str, Any]) -> Model:
    """One row of /models. Facts that the server does not report are None.

    OpenAI reports neither context size nor vision; other servers add fields for them.
    """
    meta = parse_object(row.get("meta"))
    modalities = parse_object(row.get("architecture")).get("input_modalities")
    vision = parse_object(row.get("capabilities")).get("vision")
    takes_images = vision if isinstance(vision, bool) else None
    if isinstance(modalities, list):
        takes_images = "image" in modalities
    sizes = (row.get(key) for key in ("max_model_len", "context_length", "max_context_length"))
    contexts = (
        parse_count(value) for value in (*sizes, meta.get("n_ctx"), meta.get("n_ctx_train"))
    )
    return Model(str(row.get("id")), next(filter(None, contexts), None), takes_images)
