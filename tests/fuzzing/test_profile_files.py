"""Any profiles file: profiles, or a ConfigError with line and column; edits keep other lines."""

import re
from pathlib import Path
from typing import Any

import tomlkit
from hypothesis import example, given
from hypothesis import strategies as st

from easyllm_cli.config import edit
from easyllm_cli.config.profile import Profile
from easyllm_cli.config.profiles_file import parse_profiles, read_profiles
from easyllm_cli.config.settings import SETTINGS, TIMEOUT_KEYS
from easyllm_cli.errors import ConfigError, EasyLLMError
from easyllm_cli.pipeline.retry import backoff_waits
from tests.support import ROOT
from tests.support.binary import toml

EXAMPLE = (ROOT / "profiles.example.toml").read_text("utf-8")
PLACE = re.compile(r":\d+:\d+$")
values: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=6)
    | st.datetimes()
    | st.sampled_from(["http", "sdk", "auto", "openai", "ollama", "a", 1e308, 10**400]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(min_size=1, max_size=3), inner)
    ),
    max_leaves=4,
)
timeouts = st.dictionaries(st.sampled_from([*TIMEOUT_KEYS, "x"]), st.floats() | st.integers(0))
tables = st.dictionaries(
    st.sampled_from([*SETTINGS, "base_url", "modle"]), values | timeouts, max_size=5
)


def check_usable(profile: Profile) -> None:
    """Check that the timeouts and retry waits of an accepted profile are usable."""
    limits = profile.timeout
    assert all(float(limit) > 0 for limit in (limits.connect, limits.first_token, limits.idle))
    waits = backoff_waits(profile)
    for _ in range(8):
        assert 0 <= next(waits) <= profile.max_retry_delay


@given(text=st.text(max_size=60) | st.integers(0, len(EXAMPLE)).flatmap(
    lambda at: st.text(max_size=4).map(lambda noise: EXAMPLE[:at] + noise + EXAMPLE[at + 3 :])
))  # fmt: skip
def test_any_text(home: Path, text: str) -> None:
    path = home / "profiles.toml"
    path.write_text("")
    path.chmod(0o600)
    try:
        profiles = parse_profiles(path, text)
    except ConfigError as error:
        assert error.where.startswith(str(path))
        assert PLACE.search(error.where) or "must be tables" in error.message
        return
    for name in profiles.tables:
        try:
            check_usable(profiles.resolve_profile(name))
        except ConfigError as error:
            assert error.message


@given(table=tables)
@example(table={"provider": "openai", "retry_multiplier": 1e300})
@example(table={"provider": "openai", "timeout": {"idle": 10**400}})
@example(table={"provider": "openai", "initial_retry_delay": 10**400})
def test_any_table(home: Path, table: dict[str, Any]) -> None:
    path = home / "profiles.toml"
    path.write_text("")
    path.chmod(0o600)
    profiles = parse_profiles(path, tomlkit.dumps({"profiles": {"mine": table}}))
    try:
        profile = profiles.resolve_profile("mine")
    except ConfigError as error:
        assert PLACE.search(error.where), error.where
        return
    check_usable(profile)


@given(
    key=st.sampled_from(["seed", "model", "temperature", "timeout.idle", "options.x"]),
    value=st.integers() | st.floats(0, 1) | st.text(max_size=8).map(toml),
    name=st.sampled_from(re.findall(r"^\[profiles\.([\w-]+)\]", EXAMPLE, re.MULTILINE)),
)
def test_an_edit_keeps_every_other_line(home: Path, key: str, value: Any, name: str) -> None:
    path = home / "profiles.toml"
    path.write_text(EXAMPLE, "utf-8")
    path.chmod(0o600)
    try:
        edit.write_setting(path, name, key, str(value))
    except EasyLLMError as error:
        assert error.exit_code == 2
        assert path.read_text("utf-8") == EXAMPLE
        return
    edited = path.read_text("utf-8").splitlines()
    last = key.rpartition(".")[2]
    lost = [line for line in EXAMPLE.splitlines() if line not in edited]
    assert all(last in line or key.partition(".")[0] in line for line in lost), lost
    assert len(lost) <= 1
    read_profiles(str(path)).resolve_profile(name)
