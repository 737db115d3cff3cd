"""Several keys in one profile: litellm rotates them, every other adapter refuses them."""

import pytest

from easyllm_cli.config.credentials import resolve_api_key, resolve_api_keys
from easyllm_cli.config.endpoints import Endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, ConfigError

KEY = "sk-test-0123456789"


@pytest.mark.parametrize("source", ["api_key", "api_key_env"])
def test_litellm_takes_several_keys(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRST", f"{KEY}-1")
    monkeypatch.setenv("SECOND", f"{KEY}-2")
    named = ["FIRST", "SECOND"] if source == "api_key_env" else [f"{KEY}-1", f"{KEY}-2"]
    profile = Profile.of({"provider": "litellm", source: named})
    assert [key.reveal() for key in resolve_api_keys(profile, Endpoint(""))] == [
        f"{KEY}-1",
        f"{KEY}-2",
    ]
    assert KEY not in repr(profile)
    plain = Endpoint("http://192.0.2.1/v1")
    with pytest.raises(ConfigError, match="http://"):
        resolve_api_keys(profile, plain)


def test_every_key_of_a_list_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRST", KEY)
    for named, kind in ((["FIRST", "SECOND"], AuthError), ([], ConfigError)):
        profile = Profile.of({"provider": "litellm", "api_key_env": named})
        with pytest.raises(kind, match="SECOND is not set" if named else "empty list"):
            resolve_api_keys(profile, Endpoint(""))


def test_an_adapter_that_takes_one_key_refuses_several() -> None:
    """The dict names no provider: the adapter's class adds it after the dict was read."""
    profile = Profile.of({"api_key": [KEY, KEY]}).replace_set(provider="openai")
    with pytest.raises(ConfigError, match="only litellm"):
        resolve_api_key(profile, Endpoint("https://api.openai.com/v1"))
