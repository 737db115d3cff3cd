"""The list of submitted batches: what it says after a crash, and when it is damaged."""

from pathlib import Path

import pytest

from easyllm_cli.batch.submissions import SubmissionFile, Submissions, submissions_path, to_ranges
from easyllm_cli.errors import UsageError


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_what_was_written_is_read_again(output: Path) -> None:
    file = SubmissionFile(output, 7.0)
    first = file.begin([0, 1, 2, 7], "a" * 64, 0.5, is_retry=True)
    second = file.begin([3], "b" * 64, None, is_retry=False)
    file.uploaded(first, "file-1")
    file.created(first, "batch_1")
    file.foreign(first, "batch_1")
    file.over(second, "completed", processed=True)
    file.close()
    read = Submissions(output)
    (again,) = read.open()
    assert (again.name, again.id, again.foreign) == (first.name, None, {"batch_1"})
    assert (again.count, again.usd, again.is_retry, [*again.rows()]) == (4, 0.5, True, [0, 1, 2, 7])
    assert [row for row in range(9) if again.has(row)] == [0, 1, 2, 7]
    assert read.uploads == {"a" * 64: "file-1"}
    assert (read.times_sent(3), read.times_sent(0), read.run_id) == (1, 0, file.run_id)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_line_announced_nothing(output: Path, cut: int) -> None:
    file = SubmissionFile(output, 7.0)
    submission = file.begin([0], "a" * 64, None, is_retry=False)
    file.created(submission, "batch_1")
    file.close()
    path = submissions_path(output)
    path.write_bytes(path.read_bytes()[:-cut])
    file = SubmissionFile(output, 7.0)
    (again,) = file.open()
    assert again.id is None
    file.created(again, "batch_1")
    file.close()
    assert Submissions(output).open()[0].id == "batch_1"


@pytest.mark.parametrize("line", ["[]", "{}", '{"form": 2}', '{"batch": "x", "step": "created"}'])
def test_a_damaged_list_is_2_and_is_kept(output: Path, line: str) -> None:
    SubmissionFile(output, 7.0).close()
    path = submissions_path(output)
    path.write_text(path.read_text() + line + "\n")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="damaged"):
        SubmissionFile(output, 7.0)
    assert path.read_bytes() == before


def test_a_list_of_another_batch_is_2(output: Path) -> None:
    SubmissionFile(output, 7.0).close()
    with pytest.raises(UsageError, match="another batch"):
        SubmissionFile(output, 8.0)


def test_ranges() -> None:
    assert to_ranges([]) == []
    assert to_ranges([2, 3, 4, 9, 11, 12]) == [(2, 4), (9, 9), (11, 12)]
