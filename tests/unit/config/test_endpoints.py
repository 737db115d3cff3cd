"""Endpoints: every form of OLLAMA_HOST, the endpoint variables, and which URLs are refused."""

import pytest

from easyllm_cli.config.endpoints import Endpoint, is_loopback, parse_ollama_host, resolve_endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import ConfigError
from easyllm_cli.vendors import VENDORS, get_endpoint_variable

LOCAL = "http://127.0.0.1:11434"
FORMS = [
    ("", LOCAL), ("  ", LOCAL), ('""', LOCAL), (":", LOCAL),
    ("h", "http://h:11434"), (" h ", "http://h:11434"), ('"h"', "http://h:11434"),
    ("'h'", "http://h:11434"), (' "http://h:5" ', "http://h:5"),
    (":5", "http://127.0.0.1:5"), ("h:5", "http://h:5"), ("h:5/p/", "http://h:5/p"),
    ("h/p", "http://h:11434/p"), ("h/", "http://h:11434"),
    ("http://h", "http://h"), ("https://h", "https://h"), ("http://h/p/", "http://h/p"),
    ("http://h:80", "http://h"), ("https://h:443", "https://h"), ("https://h:80", "https://h:80"),
    ("[::1]", "http://[::1]:11434"), ("[::1]:5", "http://[::1]:5"), ("::1", "http://[::1]:11434"),
    ("http://[::1]", "http://[::1]"), ("h:bad", "http://h:11434"), ("h:0", "http://h:11434"),
    ("h:65536", "http://h:11434"), ("h:-1", "http://h:11434"), ("http://h:bad", "http://h"),
    ("0.0.0.0", LOCAL), ("0.0.0.0:5", "http://127.0.0.1:5"), ("[::]:5", "http://127.0.0.1:5"),
    ("::", LOCAL), ("http://0.0.0.0:11434", LOCAL), ("http://0.0.0.0", "http://127.0.0.1"),
    ("ollama.com", "https://ollama.com"), ("http://ollama.com", "http://ollama.com"),
    ("https://ollama.com/api", "https://ollama.com"),
    ("https://api.example.com", "https://api.example.com"), ("api.example.com:443/api",
     "http://api.example.com:443"),
    ("http://h:11434/v1/", "http://h:11434"), ("http://h:11434/v1", "http://h:11434"),
    ("http://h:11434/api", "http://h:11434"), ("https://h/p/v1", "https://h/p"),
    ("https://h/v1/p", "https://h/v1/p"), ("https://h/apiv1", "https://h/apiv1"),
    ("https://h/myapi", "https://h/myapi"), ("api", "http://api:11434"), ("v1/", "http://v1:11434"),
]  # fmt: skip


# Not azure and bedrock, whose host depends on variables, and not litellm, which has none.
WITH_OWN_HOST = sorted(name for name, vendor in VENDORS.items() if vendor.hosts)


def profile(**table: str) -> Profile:
    return Profile.of(table)


@pytest.mark.parametrize(("text", "url"), FORMS)
def test_every_form_of_ollama_host(text: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_ollama_host(text) == url
    monkeypatch.setenv("OLLAMA_HOST", text)
    assert resolve_endpoint(profile(provider="ollama")).url == url
    if text.strip():
        assert resolve_endpoint(profile(provider="ollama", endpoint=text)) == Endpoint(url)


@pytest.mark.parametrize("name", WITH_OWN_HOST)
def test_built_in_address_is_valid_and_on_the_vendors_host(name: str) -> None:
    endpoint = resolve_endpoint(profile(provider=name))
    assert endpoint == Endpoint(VENDORS[name].base_url)
    assert endpoint.host in VENDORS[name].hosts or is_loopback(endpoint.url)


def test_names_of_the_endpoint_variables() -> None:
    names = {
        name: get_endpoint_variable(name) for name in ("openai", "ollama", "openrouter", "gemini")
    }
    assert names == {
        "openai": "OPENAI_BASE_URL",
        "ollama": "OLLAMA_HOST",
        "openrouter": "OPENROUTER_BASE_URL",
        "gemini": "GOOGLE_GEMINI_BASE_URL",
    }
    assert get_endpoint_variable("my-own") == "MY_OWN_BASE_URL"


@pytest.mark.parametrize("name", sorted({*WITH_OWN_HOST, "litellm"} - {"ollama", "cohere"}))
def test_variable_sets_the_endpoint_unless_the_profile_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = get_endpoint_variable(name)
    version = "" if name == "anthropic" else "/v1"  # a part of its request paths
    monkeypatch.setenv(variable, " https://proxy.example/v1/ ")
    assert resolve_endpoint(profile(provider=name)) == Endpoint(
        f"https://proxy.example{version}", variable
    )
    own = profile(provider=name, endpoint="https://own.example/v1")
    assert resolve_endpoint(own) == Endpoint(f"https://own.example{version}")
    monkeypatch.setenv(variable, " ")
    assert resolve_endpoint(profile(provider=name)) == Endpoint(VENDORS[name].base_url)


def test_base_url_is_an_alias_of_endpoint() -> None:
    assert (
        resolve_endpoint(profile(provider="openai", base_url="http://h:1/v1/")).url
        == "http://h:1/v1"
    )


def test_only_the_providers_own_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://evil.example/v1")
    for name in {*WITH_OWN_HOST, "litellm"} - {"openai"}:
        assert resolve_endpoint(profile(provider=name)).url == VENDORS[name].base_url


BAD = [
    "example.com/v1", "ftp://h/v1", "http://", "https:///v1", "//h/v1", "file:///etc/passwd",
    "http://h:99999", "http://h:port", "http://[::1", "javascript:alert(1)", "https://?x",
    "https://h/v1?key=abc", "https://h/v1#x",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_endpoint(profile(provider="openai", endpoint=url))
    assert caught.value.exit_code == 2
    assert "endpoint" in caught.value.message


def test_error_names_the_invalid_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "nonsense")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        resolve_endpoint(profile(provider="openai"))


WITH_USER = [
    "https://user:hunter2pw@h/v1", "http://hunter2pw@h", "https://:hunter2pw@h:5/v1",
    "https://u:hunter2pw@h:port/v1", "ftp://u:hunter2pw@h/v1", "u:hunter2pw@h/v1",
    "http://u:hunter2pw@[::1", "https://u:hunter2pw@h/v1?x=1",
]  # fmt: skip


@pytest.mark.parametrize("name", ["openai", "ollama"])
@pytest.mark.parametrize("url", WITH_USER)
def test_user_and_password_are_refused_and_not_printed(
    name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(get_endpoint_variable(name), url)
    for source in (profile(provider=name), profile(provider=name, endpoint=url)):
        with pytest.raises(ConfigError) as caught:
            resolve_endpoint(source)
        assert "hunter2pw" not in str(caught.value)


def test_a_query_is_refused_and_not_printed() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_endpoint(profile(provider="openai", endpoint="https://h/v1?key=hunter2pw"))
    assert "hunter2pw" not in str(caught.value)


def test_an_unknown_provider_needs_an_endpoint() -> None:
    with pytest.raises(ConfigError):
        resolve_endpoint(profile(provider="unheard-of"))


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1", True), ("http://127.9.9.9", True), ("http://localhost:5/v1", True),
        ("http://a.localhost", True), ("http://[::1]:5", True), ("http://LOCALHOST", True),
        ("http://10.0.0.1", False), ("http://0.0.0.0", False), ("http://example.com", False),
        ("http://localhost.example.com", False), ("http://127.0.0.1.example.com", False),
        ("http://[::2]", False), ("http://", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_is_loopback(url: str, local: bool) -> None:
    assert is_loopback(url) is local


def test_host_is_without_port_and_in_lower_case() -> None:
    assert Endpoint("https://API.openai.com:443/v1").host == "api.openai.com"
    assert Endpoint("http://[::1]:5").host == "::1"


WITH_A_PATH = [
    ("openai", "https://h/v1/chat/completions", "https://h/v1"),
    ("openai", "https://h/v1/chat/completions/", "https://h/v1"),
    ("openai", "https://h/v1/responses", "https://h/v1"),
    ("openai", "https://h/v1/models", "https://h/v1"),
    ("openai", "https://h/v1/completions", "https://h/v1"),
    ("openai", "https://r.services.ai.azure.com/models", "https://r.services.ai.azure.com/models"),
    ("openai", "https://h/chat", "https://h/chat"),
    ("zhipu", "https://h/api/paas/v4/chat/completions", "https://h/api/paas/v4"),
    ("openrouter", "https://h/api/v1/chat/completions", "https://h/api/v1"),
    ("litellm", "https://h/v1/chat/completions", "https://h/v1"),
    ("gemini", "https://h/v1beta/models/gemini-2.5-pro:generateContent", "https://h/v1beta"),
    ("gemini", "https://h/v1beta/models", "https://h/v1beta"),
    ("ollama", "http://h:1/api/chat", "http://h:1"),
    ("ollama", "http://h:1/v1/chat/completions", "http://h:1"),
    ("ollama", "http://h:1/p/api/tags", "http://h:1/p"),
]


@pytest.mark.parametrize(("provider", "given", "url"), WITH_A_PATH)
def test_request_path_is_removed_from_an_endpoint(provider: str, given: str, url: str) -> None:
    assert resolve_endpoint(profile(provider=provider, endpoint=given)).url == url


AZURE_ENDPOINTS = [
    ("https://res.openai.azure.com", "https://res.openai.azure.com/openai/v1"),
    ("https://res.openai.azure.com/", "https://res.openai.azure.com/openai/v1"),
    ("https://res.openai.azure.com/openai/v1/", "https://res.openai.azure.com/openai/v1"),
    (
        "https://res.services.ai.azure.com/openai/v1/chat/completions",
        "https://res.services.ai.azure.com/openai/v1",
    ),
    ("https://gateway.example/azure", "https://gateway.example/azure"),
]


@pytest.mark.parametrize(("given", "url"), AZURE_ENDPOINTS)
def test_azures_resource_gets_the_path_of_its_openai_api(
    given: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_endpoint(profile(provider="azure", endpoint=given)).url == url
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", given)
    assert resolve_endpoint(profile(provider="azure")).url == url


def test_azure_without_a_resource_is_an_error() -> None:
    with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        resolve_endpoint(profile(provider="azure"))


def test_bedrocks_host_is_in_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", " eu-west-1 ")
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"
    assert resolve_endpoint(profile(provider="bedrock")) == Endpoint(url)
    own = profile(provider="bedrock", endpoint="https://bedrock-mantle.us-east-1.api.aws/v1")
    assert resolve_endpoint(own).url == own.endpoint


@pytest.mark.parametrize("region", ["", "evil.example/", "us east", "US", "a@b"])
def test_bedrock_without_a_region_is_an_error(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    with pytest.raises(ConfigError, match="AWS_REGION") as caught:
        resolve_endpoint(profile(provider="bedrock"))
    assert "us-east-1" in caught.value.hint
