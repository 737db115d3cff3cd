"""Which key is sent where: one named source, and only to the vendor's hosts (FAULT-59 to 61)."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config import credentials
from easyllm_cli.config.credentials import find_key_source, has_key_source, resolve_api_key
from easyllm_cli.config.endpoints import Endpoint, resolve_endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, ConfigError, EasyLLMError
from easyllm_cli.private_file import require_private
from easyllm_cli.vendors import VENDORS, get_endpoint_variable
from tests.support.another_user import as_another_user
from tests.support.binary import wait_until

KEY = "sk-test-0123456789"
KEYED = [name for name, vendor in VENDORS.items() if vendor.key_variables]
# azure and bedrock have a host for each customer or region, and no fixed one.
WITH_OWN_HOST = [name for name in KEYED if VENDORS[name].hosts]
REMOTE = [name for name in WITH_OWN_HOST if VENDORS[name].key_required and name != "ollama"]


def key_of(**table: Any) -> str | None:
    """The key that would be sent, in plain text."""
    profile = Profile.of(table)
    secret = resolve_api_key(profile, resolve_endpoint(profile))
    return None if secret is None else secret.reveal()


def refused(kind: type[EasyLLMError], **table: Any) -> str:
    """The text of the error, which must not hold the key."""
    with pytest.raises(kind) as caught:
        key_of(**table)
    assert KEY not in str(caught.value)
    assert caught.value.exit_code == (2 if kind is ConfigError else 3)
    return str(caught.value)


StoreKey = Callable[[str, str], Path]


@pytest.fixture
def store_key(home: Path) -> StoreKey:
    """Writes keys.json as `easyllm keys` does without a system keyring."""

    def store(name: str, key: str) -> Path:
        path = home / ".config" / "easyllm" / "keys.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: {"key": key}}))
        path.chmod(0o600)
        return path

    return store


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key file"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", REMOTE)
def test_missing_key_is_an_error_before_any_request(name: str) -> None:
    line = refused(AuthError, provider=name)
    assert VENDORS[name].key_variables[0] in line


@pytest.mark.parametrize("name", WITH_OWN_HOST)
def test_key_variables_are_sent_to_the_providers_own_host(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"https://{VENDORS[name].hosts[0]}/v1".replace("::1", "[::1]")
    for variable in reversed(VENDORS[name].key_variables):
        monkeypatch.setenv(variable, f" {KEY}-{variable} ")
        assert key_of(provider=name, endpoint=endpoint) == f"{KEY}-{variable}"


HOSTS_OF_CUSTOMERS = [
    ("azure", "res.openai.azure.com", True),
    ("azure", "res.services.ai.azure.com", True),
    ("azure", "res.cognitiveservices.azure.com", True),
    ("azure", "openai.azure.com.evil.example", False),
    ("azure", "res.blob.core.windows.net", False),
    ("azure", "evilopenai.azure.com", False),
    ("bedrock", "bedrock-runtime.us-gov-west-1.amazonaws.com", True),
    ("bedrock", "bedrock-mantle.eu-west-1.api.aws", True),
    ("bedrock", "bedrock-runtime.s3.amazonaws.com", False),
    ("bedrock", "bedrock-runtime.us-east-1.amazonaws.com.evil.example", False),
    ("bedrock", "x.bedrock-runtime.us-east-1.amazonaws.com", False),
]


@pytest.mark.parametrize(("name", "host", "is_own"), HOSTS_OF_CUSTOMERS)
def test_key_goes_to_the_hosts_of_customers_and_regions_only(
    name: str, host: str, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"https://{host}/openai/v1"
    if is_own:
        assert VENDORS[name].key_variables[0] in refused(
            AuthError, provider=name, endpoint=endpoint
        )
    monkeypatch.setenv(VENDORS[name].key_variables[0], KEY)
    assert key_of(provider=name, endpoint=endpoint) == (KEY if is_own else None)


@pytest.mark.parametrize("name", [*VENDORS])
@pytest.mark.parametrize(
    "endpoint", ["https://evil.example/v1", "http://127.0.0.9:1/v1", "http://10.0.0.7/v1"]
)
def test_key_variables_are_never_sent_to_another_host(
    name: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in VENDORS[name].key_variables:
        monkeypatch.setenv(variable, KEY)
    assert key_of(provider=name, endpoint=endpoint) is None
    assert key_of(provider=name, endpoint=endpoint.replace("//", "//api.openai.com.", 1)) is None


@pytest.mark.parametrize("name", KEYED)
def test_key_variable_is_sent_to_the_endpoint_variables_host(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(get_endpoint_variable(name), "http://127.0.0.9:1/x")
    assert key_of(provider=name) is None
    monkeypatch.setenv(VENDORS[name].key_variables[0], KEY)
    assert key_of(provider=name) == KEY


def test_key_variable_does_not_leak_into_a_profile_with_its_own_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://proxy.example/v1")
    assert key_of(provider="openai", endpoint="https://proxy.example/v1") is None
    other = "sk-other-0123456789"
    assert key_of(provider="openai", endpoint="https://b.example/v1", api_key=other) == other
    assert key_of(provider="groq", endpoint="https://api.openai.com/v1") is None


def test_local_server_needs_no_key() -> None:
    for name in ("ollama", "lmstudio", "vllm", "llamacpp"):
        assert key_of(provider=name) is None
    assert key_of(provider="openai", endpoint="http://localhost:8000/v1") is None


def test_named_variable_is_sent_to_any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    table = {"provider": "openai", "endpoint": "https://my.example/v1"}
    assert key_of(**table, api_key_env="OPENAI_API_KEY") == KEY


def test_a_named_source_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert "MY_KEY" in refused(AuthError, provider="openai", api_key_env="MY_KEY")
    monkeypatch.setenv("MY_KEY", "sk-mine")
    assert key_of(provider="openai", api_key_env="MY_KEY") == "sk-mine"
    monkeypatch.setenv("MY_KEY", "  ")
    refused(AuthError, provider="openai", api_key_env="MY_KEY")


def test_a_literal_key() -> None:
    assert key_of(provider="openai", api_key=f" {KEY}\n") == KEY
    refused(AuthError, provider="openai", api_key="")


def test_a_key_from_a_file(key_file: Path) -> None:
    assert key_of(provider="openai", api_key_file=str(key_file)) == KEY
    key_file.write_text(" \n")
    assert "empty" in refused(AuthError, provider="openai", api_key_file=str(key_file))
    key_file.write_bytes(KEY.encode("utf-16"))
    assert "iconv -f UTF-16" in refused(ConfigError, provider="openai", api_key_file=str(key_file))
    key_file.write_bytes(b"sk-\xff")
    assert "not text" in refused(AuthError, provider="openai", api_key_file=str(key_file))
    missing = f"{key_file}.not"
    assert "No such file" in refused(AuthError, provider="openai", api_key_file=missing)


def test_a_key_file_below_home(home: Path) -> None:
    (home / "key").write_text(KEY)
    (home / "key").chmod(0o600)
    assert key_of(provider="openai", api_key_file="~/key") == KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o660, 0o601])
def test_fault_59_an_open_key_file_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    line = refused(ConfigError, provider="openai", api_key_file=str(key_file))
    assert f"chmod 600 '{key_file}'" in line


def test_unreadable_key_file_is_an_auth_error() -> None:
    def read_it() -> str:
        path = Path(f"/tmp/easyllm-key-{os.getpid()}")
        path.touch(mode=0o000)
        try:
            return str(key_of(provider="openai", api_key_file=str(path)))
        finally:
            path.unlink()

    error = as_another_user(read_it)
    assert error.startswith("AuthError: api_key_file cannot be read: Permission denied")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_fault_61_a_file_of_somebody_else_is_refused(key_file: Path) -> None:
    os.chown(key_file, 65533, 65533)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        require_private(key_file, "api_key_cmd")


@pytest.mark.parametrize(
    "command", [f"printf '%s\\n' {KEY}", ["printf", "%s", KEY], f"printf '{KEY}\\nsecond\\n'"]
)
def test_a_key_from_a_command(command: Any) -> None:
    assert key_of(provider="openai", api_key_cmd=command) == KEY


def test_a_command_has_no_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert key_of(provider="openai", api_key_cmd="echo a; touch made") == "a; touch made"
    assert key_of(provider="openai", api_key_cmd="echo $HOME `id` $(id)") == "$HOME `id` $(id)"
    assert not (tmp_path / "made").exists()


def test_a_command_reads_no_stdin() -> None:
    assert "printed no key" in refused(AuthError, provider="openai", api_key_cmd="cat")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("false", "exit code 1"), (f"sh -c 'echo {KEY}; exit 3'", "exit code 3"),
        ("no-such-command-here", "No such file"), ("true", "printed no key"),
        ("printf '\\n%s' later", "printed no key"), ("printf 'k\\xc3\\xa9y'", "characters"),
    ],
)  # fmt: skip
def test_failing_command_is_exit_code_3(command: str, says: str) -> None:
    assert says in refused(AuthError, provider="openai", api_key_cmd=command)


@pytest.mark.parametrize("command", ["", [], " ", "echo 'open", ["echo", "a\0b"], "echo \0"])
def test_invalid_command_is_a_config_or_auth_error(command: Any) -> None:
    with pytest.raises((ConfigError, AuthError)):
        key_of(provider="openai", api_key_cmd=command)


def test_a_command_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "KEY_COMMAND_TIMEOUT_SECONDS", 0.1)
    assert "longer than" in refused(AuthError, provider="openai", api_key_cmd="sleep 5")


@pytest.mark.parametrize(
    "command",
    [
        f"sleep 60 & echo {KEY}",  # the way password managers start their agents
        f"printf {KEY}; sleep 60 &",  # no newline at the end
        f"yes {KEY} & sleep 0.2",
        f"(sleep 60; echo later) & echo {KEY}; exec 1>&-",
    ],
)
def test_background_process_is_not_waited_for(command: str) -> None:
    """It holds the pipe open after the command itself has ended."""
    assert key_of(provider="openai", api_key_cmd=["sh", "-c", command]) == KEY


def test_background_process_is_not_killed(tmp_path: Path) -> None:
    command = f"(sleep 0.5; touch '{tmp_path}/done') & echo {KEY}"
    assert key_of(provider="openai", api_key_cmd=["sh", "-c", command]) == KEY
    wait_until((tmp_path / "done").exists)


def test_exit_code_of_the_command_is_waited_for() -> None:
    """It counts whatever the command has printed before, and even with its stdout closed."""
    for more in ("sleep 0.3", "exec 1>&-; sleep 0.3", "head -c 1000000 /dev/zero; sleep 0.1"):
        command = ["sh", "-c", f"echo {KEY}; {more}; exit 3"]
        assert "exit code 3" in refused(AuthError, provider="openai", api_key_cmd=command)
        command[-1] = command[-1].replace("exit 3", "exit 0")
        assert key_of(provider="openai", api_key_cmd=command) == KEY


def test_endless_line_is_refused_at_once() -> None:
    for command in ("cat /dev/zero", "tr '\\0' x < /dev/zero & wait", "head -c 65537 /dev/zero"):
        line = refused(AuthError, provider="openai", api_key_cmd=["sh", "-c", command])
        assert "a line of more than 64 KiB" in line
    spaces = f"printf %65500s ' '; echo {KEY}"
    assert key_of(provider="openai", api_key_cmd=["sh", "-c", spaces]) == KEY


def test_a_command_that_prints_for_ever_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "KEY_COMMAND_TIMEOUT_SECONDS", 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "longer than" in refused(AuthError, provider="openai", api_key_cmd="yes")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_invalid_key_file_name_is_a_config_or_auth_error() -> None:
    with pytest.raises((ConfigError, AuthError)):
        key_of(provider="openai", api_key_file="a\0b")


@pytest.mark.parametrize("key", ["clé-0123456789", "a\nb", "two words\x00", "a\x1b[2Jb"])
def test_invalid_characters_in_a_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(AuthError, provider="openai", api_key=key)
    if "\x00" not in key:
        monkeypatch.setenv("MY_KEY", key)
        refused(AuthError, provider="openai", api_key_env="MY_KEY")
        monkeypatch.setenv("OPENAI_API_KEY", key)
        refused(AuthError, provider="openai")


def test_fault_60_no_key_over_http_except_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"provider": "openai", "api_key": KEY}
    for url in ("http://10.0.0.7/v1", "http://api.openai.com/v1"):
        assert "allow_http" in refused(ConfigError, endpoint=url, **table)
        assert key_of(endpoint=url, allow_http=True, **table) == KEY
    assert key_of(endpoint="http://127.0.0.1:1/v1", **table) == KEY
    assert key_of(endpoint="http://10.0.0.7/v1", provider="openai") is None
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.7/v1")
    refused(ConfigError, provider="openai")


def test_named_stored_key(store_key: StoreKey) -> None:
    line = refused(AuthError, provider="openai", keyring="work")
    assert line == 'no key is stored as "work": easyllm keys set work'
    store_key("work", KEY)
    for endpoint in (None, "https://h/v1"):
        assert key_of(provider="openai", keyring="work", endpoint=endpoint) == KEY
    assert "allow_http" in refused(
        ConfigError, provider="openai", keyring="work", endpoint="http://10.0.0.7/v1"
    )


@pytest.mark.parametrize("name", REMOTE)
def test_stored_key_replaces_the_providers_variable(
    name: str, store_key: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent to the same hosts, and only if no variable is set."""
    store_key(name, KEY)
    assert key_of(provider=name) == KEY
    assert key_of(provider=name, endpoint="https://evil.example/v1") is None
    monkeypatch.setenv(get_endpoint_variable(name), "http://127.0.0.9:1/x")
    assert key_of(provider=name) == KEY
    monkeypatch.setenv(VENDORS[name].key_variables[0], "sk-variable")
    assert key_of(provider=name) == "sk-variable"


def test_key_store_is_not_read_if_a_variable_is_set(
    store_key: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_key("openai", KEY)
    path.write_text("{damaged")
    assert "damaged" in refused(ConfigError, provider="openai")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert key_of(provider="openai") == KEY
    monkeypatch.delenv("OPENAI_API_KEY")
    assert key_of(provider="openai", endpoint="https://h/v1") is None
    assert find_key_source(Profile.of({"provider": "openai"}), Endpoint("https://h/v1")) == ""


def test_has_key_source_reads_no_key(store_key: StoreKey, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = Endpoint("https://api.openai.com/v1"), Endpoint("https://h/v1")
    assert not has_key_source(Profile.of({"provider": "openai"}), own)
    assert has_key_source(Profile.of({"provider": "openai", "api_key_cmd": "false"}), other)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert has_key_source(Profile.of({"provider": "openai"}), own)
    assert not has_key_source(Profile.of({"provider": "openai"}), other)
    monkeypatch.delenv("OPENAI_API_KEY")
    store_key("openai", KEY)
    assert has_key_source(Profile.of({"provider": "openai"}), own)
    assert not has_key_source(Profile.of({"provider": "openai"}), other)
    assert find_key_source(Profile.of({"provider": "openai"}), own) == "easyllm keys (openai)"


@pytest.mark.parametrize("before", ["Bearer ", "bearer  ", "Authorization: Bearer ", " BEARER\t"])
@pytest.mark.parametrize("source", ["api_key_env", "api_key", "api_key_file"])
def test_authorization_scheme_before_a_key_is_dropped(
    source: str, before: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", before + KEY)
    key_file.write_text(before + KEY)
    key_file.chmod(0o600)
    named = {"api_key_env": "TEST_KEY", "api_key": before + KEY, "api_key_file": str(key_file)}
    assert key_of(provider="openai", **{source: named[source]}) == KEY


def test_authorization_scheme_alone_is_not_a_key() -> None:
    assert "empty" in refused(AuthError, provider="openai", api_key="Bearer ")
