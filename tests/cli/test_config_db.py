"""Tests errors of `--config-db` and `--config-id`: wrong combinations, no SQLAlchemy."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from easyllm_cli import LLMService
from easyllm_cli.errors import ConfigError
from tests.support.binary import Easyllm, single_profile_toml, split_error_line
from tests.support.install_commands import installs_extra
from tests.support.objects import parse_answer_json

ROW = ["--config-db", "sqlite:///models.db", "--config-id", "abc123"]
BOTH = "--config-db URL --config-id ID"
USAGE = [
    (ROW[:2], "--config-db needs --config-id", BOTH),
    (ROW[2:], "--config-id needs --config-db", BOTH),
    ([*ROW, "-p", "t"], "-p and --config-db do not go together", "choose one"),
    ([*ROW[2:], "-p", "t"], "-p and --config-id do not go together", "choose one"),
]


@pytest.mark.parametrize(("args", "what", "hint"), USAGE)
@pytest.mark.parametrize("command", [["chat", "hi"], ["models"]])
def test_options_that_cannot_be_combined(
    easyllm: Easyllm, command: list[str], args: list[str], what: str, hint: str
) -> None:
    ran = easyllm.run(*command, *args, profiles=single_profile_toml("http://127.0.0.1:9/v1"))
    assert (ran.code, ran.stdout, split_error_line(ran.error_line)) == (2, b"", (what, "", hint))


def test_a_missing_extra_is_named(easyllm: Easyllm) -> None:
    assert find_spec("sqlalchemy") is None, "this venv has none of the extras"
    ran = easyllm.run("chat", "hi", *ROW, "--json")
    assert ran.code == 2
    what, where, hint = split_error_line(ran.error_line)
    assert (what, where) == ("a configuration from a database needs SQLAlchemy 2", "")
    assert installs_extra(hint, "db")
    assert parse_answer_json(ran)["error"]["kind"] == "config"
    assert not list(Path(easyllm.home).glob("*.db"))


async def test_the_library_names_the_missing_extra() -> None:
    service = LLMService(db_session=object())
    with pytest.raises(ConfigError, match="needs SQLAlchemy 2"):
        service.load_config_from_db("abc123")
    with pytest.raises(ConfigError, match="needs SQLAlchemy 2"):
        await service.chat_with_config_id("abc123", [{"role": "user", "content": "hi"}])
