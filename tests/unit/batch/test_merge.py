"""Merging outputs: which line of a row is taken, and which rows are missing."""

import json
from pathlib import Path

import pytest

from easyllm_cli.batch.input_file import InputIdentity
from easyllm_cli.batch.merge import merge_outputs
from easyllm_cli.batch.output_file import OutputFile
from easyllm_cli.batch.output_rows import parse_line
from easyllm_cli.batch.state import GOOD, RETRYABLE, Header, StateReader
from easyllm_cli.errors import UsageError


def write_output(
    path: Path, rows: list[tuple[int, str, int]], total: int | None, shard: str = "0"
) -> Path:
    """Write rows, each with its text and status; `total` None = the input was not read whole."""
    header = Header("in", InputIdentity(1, "a"), {"model": "m", "shard": shard}, {}, 0.0)
    file = OutputFile(path, header, parse_line)
    for row, text, status in rows:
        error = None if status == GOOD else {"retryable": True}
        line = json.dumps({"index": row, "text": text, "error": error}).encode() + b"\n"
        file.append(line, row, status)
    if total is not None:
        file.mark_all_read(total)
    file.close()
    return path


def test_a_good_line_comes_before_a_failed_one_wherever_it_is(tmp_path: Path) -> None:
    rows = [(3, "old", RETRYABLE), (0, "a", GOOD), (1, "bad", RETRYABLE), (3, "new", GOOD)]
    first = write_output(tmp_path / "a", rows, None)
    second = write_output(tmp_path / "b", [(1, "good", GOOD), (0, "bad", RETRYABLE)], 5, "1")
    for parts in ([first, second], [second, first]):
        merged = tmp_path / "all"
        result = merge_outputs(parts, merged)
        texts = [json.loads(line)["text"] for line in merged.read_bytes().splitlines()]
        assert texts == ["a", "good", "new"]
        assert (result.good, result.failed, result.is_total_known) == (3, 0, True)
        assert (result.missing, result.missing_count) == ([(2, 2), (4, 4)], 2)
        assert result.describe_missing() == "2, 4"
        assert merged.stat().st_mode & 0o777 == 0o600


def test_outputs_of_other_settings_are_not_merged_in_any_order(tmp_path: Path) -> None:
    """A shard may be of another way to ask, such as the batch API, but of no other setting."""
    outputs = []
    for row, settings in enumerate(({}, {"shard": "1", "--via": "api"}, {"stop": "x"})):
        path = tmp_path / str(row)
        outputs.append(path)
        header = Header("in", InputIdentity(1, "a"), {"model": "m", **settings}, {}, 0.0)
        file = OutputFile(path, header, parse_line)
        line = json.dumps({"index": row, "error": None}).encode() + b"\n"
        file.append(line, row, GOOD)
        file.close()
    live, via_api, other = outputs
    for parts in ([live, via_api], [via_api, live]):
        assert merge_outputs(parts, tmp_path / "all").good == 2
    for parts in ([live, other], [other, live]):
        with pytest.raises(UsageError, match="another stop"):
            merge_outputs(parts, tmp_path / "all")


def test_rows_behind_the_last_one_may_be_missing(tmp_path: Path) -> None:
    output = write_output(tmp_path / "a", [(1, "x", RETRYABLE)], None)
    result = merge_outputs([output], tmp_path / "all")
    assert (result.failed, result.is_total_known, result.missing) == (1, False, [(0, 0)])


def test_many_missing_rows_are_named_as_ranges(tmp_path: Path) -> None:
    output = write_output(tmp_path / "a", [(row, "", GOOD) for row in range(5, 90, 4)], 100)
    result = merge_outputs([output], tmp_path / "all")
    assert result.describe_missing().startswith("0-4, 6-8, 10-12, ")
    assert result.describe_missing().endswith(" and more")
    assert result.missing[-1] == (90, 99)


def test_an_output_that_lost_lines_is_not_merged(tmp_path: Path) -> None:
    output = write_output(tmp_path / "a", [(0, "x", GOOD)], 1)
    output.write_bytes(b"")
    with pytest.raises(UsageError, match="shorter than its state"):
        merge_outputs([output], tmp_path / "all")
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("name", ["a", "b", "link", "in", "a.state", "a.batches"])
def test_no_file_of_a_batch_is_replaced(tmp_path: Path, name: str) -> None:
    """As if the merged file was not named: `merge out.jsonl*`."""
    output = write_output(tmp_path / "a", [(0, "x", GOOD)], 1)
    (tmp_path / "a.batches").write_text("{}\n")
    write_output(tmp_path / "b", [(0, "y", GOOD)], 1)
    (tmp_path / "link").symlink_to(output)
    source = tmp_path / "in"
    source.write_text('"a"\n')
    state = StateReader(output)
    header = state.header.__replace__(input_path=str(source))
    with output.with_name("a.state").open("r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(state.header.to_line(), header.to_line()))
    merged = tmp_path / name
    before = merged.read_bytes()
    with pytest.raises(UsageError, match="the file to write"):
        merge_outputs([output], merged)
    assert merged.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"), [("abc", "abcd"), ('"index": 1', '"index": 7'), ("null", '"no"')]
)
def test_batch_3_a_line_that_was_changed_is_not_merged(tmp_path: Path, old: str, new: str) -> None:
    output = write_output(tmp_path / "a", [(0, "abc", GOOD), (1, "x", GOOD)], 2)
    output.write_text(output.read_text().replace(old, new, 1) + " " * 10)
    with pytest.raises(UsageError, match="is not where it was written"):
        merge_outputs([output], tmp_path / "all")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "a.state"}
