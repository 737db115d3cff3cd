"""Rows from the columns of a batch in memory, and the columns of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..completion import Completion
from ..errors import ConfigError, EasyLLMError
from ..messages import Message, parse_messages
from ..secret import redact
from .output_rows import RowResult
from .rows import Row, require_text

# The columns that answers add, in this order.
ANSWER_COLUMNS = (
    "text", "reasoning", "finish_reason", "complete", "error_kind", "error_message",
    "prompt_tokens", "completion_tokens", "cost_usd",
)  # fmt: skip


def read_columns(batch: Mapping[str, Any], prompt: str, messages: str) -> list[Row]:
    """A row for each place of the columns; a bad one has an `error`.

    `prompt`: the column with prompts. `messages`: the one with lists of messages, which comes
    first where a row has both.
    Raises:
        ConfigError: the batch is no dict, has neither column, or one that answers add; or the
            columns are no columns of the same length.
    """
    if not isinstance(batch, Mapping):
        raise ConfigError(
            f"a batch must be a dict of columns, not {type(batch).__name__}",
            hint='in map_batches leave batch_format out, or set it to "numpy"',
        )
    taken = [name for name in ANSWER_COLUMNS if name in batch]
    if taken:
        raise ConfigError(
            f"the batch has a column {taken[0]} already, and the answer would replace it",
            hint="rename or drop it first: rename_columns, drop_columns",
        )
    asked = [name for name in (messages, prompt) if name in batch]
    if not asked:
        raise ConfigError(
            f"the batch has no column {prompt} and no column {messages}",
            where=f"columns {', '.join(map(str, batch))}"[:200],
            hint='name yours: BatchCaller("mine", prompt="question")',
        )
    count, *others = (_count_cells(batch, name) for name in asked)
    if others not in ([], [count]):
        raise ConfigError(f"the columns {messages} and {prompt} have different lengths")
    return [_read_row(batch, index, prompt, messages) for index in range(count)]


def _count_cells(batch: Mapping[str, Any], name: str) -> int:
    """The length of a column. Raises ConfigError if it is none."""
    column = batch[name]
    if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
        raise ConfigError(
            f"the column {name} must be a list or an array, not {type(column).__name__}",
            hint='a batch of one row is {"prompt": ["…"]}',
        )
    return len(column)


def answer_columns(results: Sequence[RowResult]) -> dict[str, list[Any]]:
    """The columns of ANSWER_COLUMNS; None = there is no such value."""
    rows = [_answer_cells(result) for result in results]
    return {name: [row[place] for row in rows] for place, name in enumerate(ANSWER_COLUMNS)}


def _read_row(batch: Mapping[str, Any], index: int, prompt: str, messages: str) -> Row:
    row = Row(index, index + 1)
    listed = batch[messages][index] if messages in batch else None
    try:
        if listed is not None or prompt not in batch:
            row.messages = parse_messages(_to_python(listed))
        else:
            row.messages = [Message("user", (require_text(batch[prompt][index]),))]
    except EasyLLMError as error:
        row.error = error
    return row


def _to_python(value: Any) -> Any:
    """Arrays as lists, at any depth."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _to_python(each) for key, each in value.items()}
    return [_to_python(each) for each in value] if isinstance(value, list) else value


def _answer_cells(result: RowResult) -> tuple[Any, ...]:
    """The values of one row, in the order of ANSWER_COLUMNS."""
    answer, error = result.completion or Completion(), result.error
    return (
        answer.get("text"),
        answer.get("reasoning"),
        answer.get("finish_reason"),
        error is None and bool(answer.get("complete")),
        error.kind if error else None,
        redact(str(error.message)) if error else None,
        result.usage.prompt_tokens,
        result.usage.completion_tokens,
        result.cost_usd,
    )
