"""The rows of an input: every shape of a line, and bad lines among good ones."""

import csv
import gzip
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.batch import input_file
from easyllm_cli.batch.input_file import InputFile
from easyllm_cli.batch.rows import Row, RowReader, fill_template, read_rows
from easyllm_cli.errors import UsageError
from tests.support.images import png

CHAT = "/v1/chat/completions"
PNG = png(1, 1, (0, 0, 0))
HELLO = [{"role": "user", "content": "Hello"}]


def read_file(path: Path, template: str | None = None, model: str | None = "m") -> list[Row]:
    source = InputFile(path)
    return list(read_rows(source, RowReader(model, template, source.holds_json())))


def read_line(tmp_path: Path, line: object, template: str | None = None) -> Row:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(line) + "\n", "utf-8")
    (row,) = read_file(path, template)
    return row


def texts(row: Row) -> list[tuple[str, str]]:
    assert row.error is None, row.error
    return [(message.role, message.text) for message in row.messages]


BODY: dict[str, Any] = {"model": "m", "messages": HELLO, "max_completion_tokens": 9, "user": "u"}
SHAPES: dict[str, Any] = {
    "openai": {"custom_id": "a", "method": "POST", "url": CHAT, "body": BODY},
    "anthropic": {
        "custom_id": "a",
        "params": {"model": "m", "messages": HELLO, "max_tokens": 9, "user": "u"},
    },
    "messages": {"custom_id": "a", "messages": HELLO, "max_tokens": 9, "user": "u"},
    "prompt": {"custom_id": "a", "prompt": "Hello", "max_tokens": 9, "user": "u"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_asks_the_same(tmp_path: Path, shape: str) -> None:
    row = read_line(tmp_path, SHAPES[shape])
    assert texts(row) == [("user", "Hello")]
    assert (row.custom_id, row.settings.changes) == ("a", {"max_tokens": 9})
    is_body = shape in ("openai", "anthropic")
    assert (row.settings.options, row.extra) == (
        ({"user": "u"}, {}) if is_body else ({}, {"user": "u"})
    )


def test_a_line_of_text_or_a_json_string_is_a_prompt(tmp_path: Path) -> None:
    assert texts(read_line(tmp_path, "Hello")) == [("user", "Hello")]
    path = tmp_path / "in.txt"
    path.write_text('{"prompt": 1}\n two \n', "utf-8")
    assert [texts(row) for row in read_file(path)] == [
        [("user", '{"prompt": 1}')],
        [("user", " two ")],
    ]


def test_system_and_images_of_a_prompt(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(PNG)
    line = {"prompt": "What?", "system": "Be brief", "images": [str(image), "https://e.org/b.png"]}
    row = read_line(tmp_path, line)
    assert texts(row) == [("system", "Be brief"), ("user", "What?")]
    assert [each.data or each.url for each in row.messages[1].images] == [
        PNG,
        "https://e.org/b.png",
    ]


@pytest.mark.parametrize("image", ["missing.png", "~nobody-here/a.png", "a\0b", "/", "x" * 300])
def test_batch_15_an_image_that_cannot_be_read_is_a_bad_row(tmp_path: Path, image: str) -> None:
    row = read_line(tmp_path, {"prompt": "What?", "images": [image]})
    assert str(row.error).startswith("line 1: ")


def test_anthropic_blocks_become_parts(tmp_path: Path) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    url_source = {"type": "url", "url": "https://e.org/b.png"}
    blocks = [
        {"type": "text", "text": "Look"},
        *({"type": "image", "source": s} for s in (source, url_source)),
    ]
    params = {
        "system": [{"type": "text", "text": "Be brief"}], "stop_sequences": ["x"],
        "messages": [{"role": "user", "content": blocks}],
    }  # fmt: skip
    row = read_line(tmp_path, {"custom_id": "a", "params": params})
    assert texts(row) == [("system", "Be brief"), ("user", "Look")]
    assert len(row.messages[1].images) == 2
    assert row.settings.changes == {"stop": ["x"]}


def test_every_sampling_field_is_a_setting(tmp_path: Path) -> None:
    fields = {"temperature": 0, "max_tokens": 5, "top_p": 0.5, "top_k": 3, "seed": 1, "stop": "x"}
    row = read_line(tmp_path, {"messages": HELLO, **fields, "reasoning_effort": "none"})
    assert row.settings.changes == {**fields, "reasoning": "off"}


def test_a_schema_of_a_row(tmp_path: Path) -> None:
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert (
        read_line(tmp_path, {"messages": HELLO, "response_format": wanted}).settings.schema
        == schema
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{}]}, {"n": 2}, {"stream": True}, {"logprobs": True}, {"temperature": "hot"},
        {"model": "other"}, {"messages": [{"role": "tool", "content": "x"}]}, {"messages": []},
        {"response_format": {"type": "x"}}, {"max_tokens": 0},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
@pytest.mark.parametrize("shape", ["messages", "openai"])
def test_what_is_not_for_batch_is_an_error(
    tmp_path: Path, shape: str, fields: dict[str, Any]
) -> None:
    line = {**SHAPES["messages"], **fields}
    row = read_line(tmp_path, {"url": CHAT, "body": line} if shape == "openai" else line)
    assert isinstance(row.error, UsageError)
    assert row.error.message.startswith("line 1: ")


@pytest.mark.parametrize("name", ["api_key", "api_base", "base_url", "extra_headers"])
def test_no_row_says_who_is_asked_with_which_key(tmp_path: Path, name: str) -> None:
    """A gateway might obey it. Beside a prompt it is not sent."""
    for shape, key in (("openai", "body"), ("anthropic", "params")):
        line = {**SHAPES[shape], key: {**SHAPES[shape][key], name: "x"}}
        assert f"{name} is not for a row" in str(read_line(tmp_path, line).error)
    row = read_line(tmp_path, {"prompt": "Hello", name: "x"})
    assert (row.error, row.settings.options, row.extra) == (None, {}, {name: "x"})


@pytest.mark.parametrize("fields", [{"url": "/v1/embeddings"}, {"method": "GET"}], ids=str)
def test_other_requests_are_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    assert read_line(tmp_path, {**SHAPES["openai"], **fields}).error


BAD_LINES: dict[str, bytes] = {
    "not JSON": b"{oops}",
    "empty": b"",
    "blank": b" \t\r",
    "NUL": b'{"prompt": "a\x00b"}',
    "not UTF-8": b'{"prompt": "\xff"}',
    "too long": b'{"prompt": "' + b"x" * 200_000 + b'"}',
    "a list": b"[1]",
    "a number": b"7",
    "NaN": b'{"prompt": "x", "temperature": NaN}',
    "no question": b'{"text": "x"}',
    "no text": b'{"prompt": 5}',
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_batch_15_a_bad_line_is_an_error_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setattr(input_file, "MAX_LINE_BYTES", 150_000)
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "1"}\r\n' + BAD_LINES[bad] + b'\n{"prompt": "3"}')
    rows = read_file(path)
    assert [(row.index, row.line) for row in rows] == [(0, 1), (1, 2), (2, 3)]
    assert [texts(rows[0]), texts(rows[2])] == [[("user", "1")], [("user", "3")]]
    assert rows[1].error is not None
    assert rows[1].error.message.startswith("line 2: ")
    assert (rows[1].error.exit_code, rows[1].error.retryable) == (2, False)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\n \n\n"], ids=repr)
def test_empty_lines_at_the_end_are_no_rows(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'"a"\n\n"b"' + end)
    assert [row.error is None for row in read_file(path)] == [True, False, True]
    assert InputFile(path).count_lines() == 3


def test_lines_are_counted_in_any_part_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "COUNTED_BYTES", 3)
    path = tmp_path / "in.jsonl"
    for data in (b"", b"\n\n", b"1", b"1\n\n2\n", b"\n1\n  \n22222\n333\n\n \n"):
        path.write_bytes(data)
        assert InputFile(path).count_lines() == len(list(InputFile(path).lines()))


def test_gzip_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "a"}\n{"prompt": "b"}\n'))
    assert [texts(row)[0][1] for row in read_file(path)] == ["a", "b"]
    assert InputFile(path).count_lines() == 2
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(UsageError, match="cannot read the input"):
        read_file(path)


def write_table(path: Path, rows: Sequence[Sequence[str]], delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_text(text.getvalue(), "utf-8-sig")


@pytest.mark.parametrize(("name", "delimiter"), [("in.csv", ","), ("in.tsv", "\t")])
def test_a_table_with_a_template(tmp_path: Path, name: str, delimiter: str) -> None:
    path = tmp_path / name
    write_table(path, [["id", "text"], ["1", 'a "b",\nc'], ["2"], ["3", "d\te"]], delimiter)
    rows = read_file(path, "Translate {{now}}: {text}")
    assert texts(rows[0]) == [("user", 'Translate {now}: a "b",\nc')]
    assert rows[0].extra == {"id": "1", "text": 'a "b",\nc'}
    assert "1 columns, and the header has 2" in str(rows[1].error)
    assert texts(rows[2])[0][1].endswith("d\te")
    assert InputFile(path).count_lines() is None


def test_a_table_may_have_a_column_prompt(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("custom_id,prompt,seed\nx,Hello,\n", "utf-8")
    (row,) = read_file(path)
    assert row.error is not None  # an empty seed is no number
    path.write_text("custom_id,prompt\nx,Hello\n", "utf-8")
    (row,) = read_file(path)
    assert (texts(row), row.custom_id) == ([("user", "Hello")], "x")


def test_template_fields() -> None:
    assert fill_template("{a} {{b}} {c}", {"a": "x", "c": [1]}) == "x {b} [1]"
    with pytest.raises(UsageError, match='"d" is missing'):
        fill_template("{d}", {"a": "x"})


def test_a_template_takes_each_line(tmp_path: Path) -> None:
    row = read_line(tmp_path, {"text": "chat", "label": 3, "temperature": 0}, "To French: {text}")
    assert texts(row) == [("user", "To French: chat")]
    assert (row.extra, row.settings.changes) == ({"text": "chat", "label": 3}, {"temperature": 0})
    assert texts(read_line(tmp_path, "chat", "{text}!")) == [("user", "chat!")]


WRONG_TABLES = {
    "old line ends": b"prompt,b\rhello,1\r",
    "long header": b"prompt" + b"x" * 200 + b"\na\n",
    "same name twice": b"prompt,prompt\na,b\n",
    "empty": b"",
}


@pytest.mark.parametrize("kind", WRONG_TABLES)
def test_a_table_whose_header_is_wrong_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(input_file, "MAX_LINE_BYTES", 100)
    path = tmp_path / "in.csv"
    path.write_bytes(WRONG_TABLES[kind])
    with pytest.raises(UsageError, match="table"):
        read_file(path)


def test_batch_15_a_quote_that_is_not_closed_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b'prompt\na\n"b\nc\n')
    good, bad = read_file(path)
    assert (good.error, bad.error is None) == (None, False)


def test_a_damaged_gzip_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    data = bytearray(gzip.compress(b'"a"\n' * 1000))
    data[12:] = b"\xff" * len(data[12:])
    path.write_bytes(data)
    for read in (read_file, lambda path: InputFile(path).count_lines()):
        with pytest.raises(UsageError, match="cannot read the input"):
            read(path)


def test_batch_1_a_pipe_is_no_input(tmp_path: Path) -> None:
    """It could be read once only, and each part of the command would get some of its rows."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = InputFile(path)
    for read in (source.identity, source.holds_json, source.count_lines):
        with pytest.raises(UsageError, match="must be a file"):
            read()


def test_what_a_template_uses_is_data_and_no_setting(tmp_path: Path) -> None:
    fields = {"custom_id": "x", "n": 3, "tools": "saw", "seed": 7, "system": "Linux", "stop": "a"}
    row = read_line(tmp_path, fields, "{custom_id} {n} {seed} {system}")
    assert (row.error, texts(row), row.custom_id) == (None, [("user", "x 3 7 Linux")], "x")
    assert row.settings.changes == {"stop": "a"}
    assert row.extra == {"custom_id": "x", "n": 3, "tools": "saw", "seed": 7, "system": "Linux"}


def test_no_row_asks_another_model(tmp_path: Path) -> None:
    for question in ({"prompt": "a"}, {"messages": [{"role": "user", "content": "a"}]}):
        assert read_line(tmp_path, {**question, "model": "other"}).error is not None
        row = read_line(tmp_path, {**question, "model": "m"})
        assert (row.error, row.extra) == (None, {})


def test_batch_15_half_of_a_surrogate_pair_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(r'{"prompt": "\ud800"}' + "\n" + r'{"prompt": "\ud83d\ude00"}')
    bad, good = read_file(path)
    assert "line 1: it is not Unicode" in str(bad.error)
    assert texts(good) == [("user", "\U0001f600")]
