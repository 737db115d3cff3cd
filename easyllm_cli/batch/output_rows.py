"""The lines of the output: one JSON object for each row, in our own form or in OpenAI's.

https://platform.openai.com/docs/api-reference/batch/request-output
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..completion import Completion
from ..errors import EasyLLMError
from ..events import TOKEN_COUNTS, Usage
from ..frozen_dataclass import FrozenDataclass
from ..secret import LONG_KEY_CHARS, redact
from .rows import Row
from .state import FAILED, GOOD, RETRYABLE

FORMATS = ("easyllm", "openai")
OPENAI_ID = "batch_req_{:09}"
OPENAI_ID_PATTERN = re.compile(r"batch_req_(\d+)")
RETRYABLE_KEY = "retryable"
MAX_ROWS = 1_000_000_000  # a larger number in a line is none of ours


class RowResult(FrozenDataclass):
    """How a row ended. `completion` None = nothing was received; `error` None = it is good.

    `usage`: of all attempts. `cost_usd`: None = unknown. `attempts`: requests sent. `ms`: for all
    of them.
    """

    completion: Completion | None = None
    error: EasyLLMError | None = None
    usage: Usage = Usage()
    cost_usd: float | None = None
    model: str | None = None
    provider: str | None = None
    attempts: int = 0
    ms: int = 0

    @property
    def status(self) -> int:
        """The status of the row in the state."""
        if self.error is None:
            return GOOD
        return RETRYABLE if self.error.retryable else FAILED


def format_row(row: Row, result: RowResult, form: str) -> bytes:
    """The line of a row, with its newline. `form`: one of FORMATS."""
    value = _openai_row(row, result) if form == "openai" else _own_row(row, result)
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def parse_line(line: bytes) -> tuple[int, int]:
    """The row and the status of a line of either form. Raises ValueError if it is none."""
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict) or "error" not in value:
        raise ValueError("no row")
    index = value.get("index")
    if index is None:
        match = OPENAI_ID_PATTERN.fullmatch(str(value.get("id")))
        index = int(match[1]) if match else None
    if type(index) is not int or not 0 <= index < MAX_ROWS:
        raise ValueError("no index")
    error = value.get("error")
    if error is None:
        return index, GOOD
    is_retryable = isinstance(error, dict) and error.get(RETRYABLE_KEY)
    return index, RETRYABLE if is_retryable else FAILED


def _own_row(row: Row, result: RowResult) -> dict[str, Any]:
    answer = result.completion or Completion()
    return {
        "index": row.index,
        "custom_id": row.custom_id,
        "text": answer.get("text"),
        "reasoning": answer.get("reasoning"),
        "finish_reason": _redact_name(answer.get("finish_reason")),
        "complete": result.error is None and bool(answer.get("complete")),
        "usage": _usage_object(result.usage),
        "cost_usd": result.cost_usd,
        "model": _redact_name(result.model),
        "provider": result.provider,
        "attempts": result.attempts,
        "ms": result.ms,
        "error": _error_object(result.error) if result.error else None,
        "extra": row.extra,
    }


def _openai_row(row: Row, result: RowResult) -> dict[str, Any]:
    error = result.error
    response = None
    if error is None or error.status is not None:
        response = {
            "status_code": (error.status if error else None) or 200,
            "request_id": _redact_name(error.request_id) if error else None,
            "body": _error_body(error) if error else _chat_completion(row, result),
        }
    return {
        "id": OPENAI_ID.format(row.index),
        "custom_id": str(row.index) if row.custom_id is None else row.custom_id,
        "response": response,
        "error": {"code": error.kind, **_error_object(error)} if error else None,
        "cost_usd": result.cost_usd,  # not OpenAI's: the next run counts it for --max-cost
    }


def _chat_completion(row: Row, result: RowResult) -> dict[str, Any]:
    """The body of Chat Completions that holds this answer."""
    answer, usage = result.completion or Completion(), result.usage
    reason = _redact_name(answer.get("finish_reason"))
    message = {"role": "assistant", "content": answer.get("text")}
    if answer.get("reasoning"):
        message["reasoning_content"] = answer["reasoning"]
    return {
        "id": _redact_name(answer.response_id) if answer else None,
        "object": "chat.completion",
        "model": _redact_name(result.model),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
    }


def _error_body(error: EasyLLMError) -> dict[str, Any]:
    code = redact(error.code) if isinstance(error.code, str) else error.code
    return {"error": {"message": redact(error.message), "type": error.kind, "code": code}}


def _error_object(error: EasyLLMError) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "exit_code": error.exit_code,
        "status": error.status,
        "message": redact(str(error.message)),
        RETRYABLE_KEY: error.retryable,
        "request_id": _redact_name(error.request_id),
    }


def _usage_object(usage: Usage) -> dict[str, Any]:
    counts = {key: getattr(usage, key) for key in TOKEN_COUNTS}
    return {**counts, "estimated": usage.estimated}


def _redact_name(name: str | None) -> str | None:
    """A name that the server sent, such as a model's or a request's id, without keys."""
    return redact(name, LONG_KEY_CHARS) if name else None
