"""Command lines of `easyllm batch` that are refused before anything is read or sent."""

from pathlib import Path

import pytest

from easyllm_cli.batch.input_file import InputIdentity
from easyllm_cli.batch.row_selection import RowSelection
from easyllm_cli.batch.state import Header
from easyllm_cli.cli.app import run_app
from easyllm_cli.cli.batch_request import _parse_concurrency, _parse_shard, request_from_arguments
from easyllm_cli.cli.options.common import CommonOptions
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import UsageError


@pytest.mark.parametrize(
    "words",
    [
        "absent.jsonl out.jsonl", "in.jsonl -", "in.jsonl /dev/null", "in.jsonl",
        "in.jsonl in.jsonl", "in.jsonl out.jsonl --shard 3/3", "in.jsonl out.jsonl --json --jsonl",
        "in.jsonl out.jsonl --concurrency 0", "in.jsonl out.jsonl -p sdk",
        "status absent.jsonl", "retry absent.jsonl", "cancel absent.jsonl", "merge out.jsonl",
        "merge out.jsonl out.jsonl",
    ],
)  # fmt: skip
def test_wrong_command_lines_are_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        'default_profile = "t"\n[profiles.t]\nprovider = "ollama"\nmodel = "m"\n'
        '[profiles.sdk]\nprovider = "openai"\nmodel = "m"\ntransport = "sdk"\n'
    )
    monkeypatch.setenv("EASYLLM_PROFILES", str(profiles))
    source = tmp_path / "in.jsonl"
    source.write_text('"a"\n')
    assert run_app(["batch", *words.split()]) == 2
    assert source.read_text() == '"a"\n'
    assert not (tmp_path / "out.jsonl").exists()
    assert "Traceback" not in capfd.readouterr().err


def test_concurrency() -> None:
    openai, ollama = Profile(provider="openai"), Profile(provider="ollama")
    assert [_parse_concurrency(None, each) for each in (openai, ollama)] == [64, 2]
    assert _parse_concurrency("auto", openai.replace_set(concurrency=5)) == 5
    assert _parse_concurrency("100", openai) == 100
    assert _parse_concurrency("100", openai.replace_set(concurrency=5)) == 5
    for wrong in ("0", "-1", "x", "", "10001", "1.5"):
        with pytest.raises(UsageError):
            _parse_concurrency(wrong, openai)


def test_shards() -> None:
    assert (_parse_shard(None), _parse_shard("0/3"), _parse_shard("2/3")) == (
        (0, 1), (0, 3), (2, 3),
    )  # fmt: skip
    for wrong in ("3/3", "1", "/3", "a/b", "-1/3", "1/0"):
        with pytest.raises(UsageError):
            _parse_shard(wrong)


def test_a_profile_of_a_database_cannot_be_found_again() -> None:
    header = Header("in", InputIdentity(1, ""), {}, {"has_database": True}, 0.0)
    with pytest.raises(UsageError, match="in a database"):
        request_from_arguments(header, Path("out"), CommonOptions(), RowSelection())


@pytest.mark.parametrize("arguments", [{}, {"model": {}, "sampling": 1}, {"model": {"new": 1}}])
def test_batch_3_options_of_another_version_are_refused(arguments: dict[str, object]) -> None:
    header = Header("in", InputIdentity(1, ""), {}, arguments, 0.0)
    with pytest.raises(UsageError, match="options than this version of easyllm"):
        request_from_arguments(header, Path("out"), CommonOptions(), RowSelection())
