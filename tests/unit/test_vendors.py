"""Every vendor: its address, its own key only, and the parameters that request reasoning."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from easyllm_cli.config.credentials import resolve_api_key
from easyllm_cli.config.endpoints import is_loopback, resolve_endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, ConfigError, NotFoundError
from easyllm_cli.messages import Message
from easyllm_cli.providers import ADAPTERS, provider_class, provider_for
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.secret import Secret, redact
from easyllm_cli.transport.base import Request
from easyllm_cli.vendors import VENDORS, Vendor, get_endpoint_variable
from tests.support.asking import Json, expect_error, get_completion, profile
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import StandIn

PATHS = {
    "openai": "/chat/completions",
    "perplexity": "/responses",
    "openrouter": "/chat/completions",
    "ollama": "/api/chat",
    "gemini": "/models/m:streamGenerateContent?alt=sse",
    "anthropic": "/v1/messages",
    "cohere": "/v2/chat",
}
FOREIGN = "http://127.0.0.1:9"
# litellm has no address: the model's name decides which server it calls
# (tests/extras/test_litellm.py). local runs inside this process (test_local.py). The hosts of azure
# and bedrock depend on variables (config/test_endpoints.py, config/test_credentials.py).
ADDRESSED = [name for name, vendor in VENDORS.items() if vendor.hosts and name != "local"]
KEYED = [name for name in ADDRESSED if VENDORS[name].key_required and name != "ollama"]
every_vendor = pytest.mark.parametrize("name", ADDRESSED)


def path_of(name: str) -> str:
    """The path of a vendor's answers, behind the endpoint."""
    return PATHS.get(name) or PATHS[VENDORS[name].adapter]


def request_of(name: str, *, think: bool = False, **keys: Any) -> Request:
    """The request that would be sent to a vendor."""
    config = {"provider": name, "model": "m", **keys}
    provider = provider_for(Profile.of(config).replace_set(think=think or None))
    assert isinstance(provider, HTTPProvider)
    return provider.request([Message("user", ("hi",))], True)


def body_of(name: str, **keys: Any) -> Json:
    """The body's fields, without those that every request has."""
    usual = ("model", "messages", "contents", "stream", "stream_options", "truncate", "input",
             "store")  # fmt: skip
    body = request_of(name, **{"api_key": "k" * 8, **keys}).body or {}
    return {key: value for key, value in body.items() if key not in usual}


def sent_text(request: Request) -> str:
    """Everything that the request sends, with keys in plain text."""
    return f"{request.url} {request.reveal_headers()} {request.body}"


@pytest.fixture
def all_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every key variable of every vendor to a value of its own."""
    for vendor in VENDORS.values():
        for variable in vendor.key_variables:
            monkeypatch.setenv(variable, f"<{variable}>")


@every_vendor
def test_vendor_entry_is_complete(name: str) -> None:
    vendor = VENDORS[name]
    assert vendor.adapter in ADAPTERS
    assert vendor.hosts
    assert vendor.key_variables
    parts = urlsplit(vendor.base_url)
    assert parts.scheme == ("http" if is_loopback(vendor.base_url) else "https")
    assert parts.hostname in (vendor.hosts if name != "ollama" else ("127.0.0.1",))
    assert not vendor.base_url.endswith("/")
    assert provider_class(name).__name__.endswith("Provider")
    assert re.fullmatch(r"[A-Z_]+", get_endpoint_variable(name))


def test_litellm_needs_no_address_and_takes_no_variable_of_a_vendor(all_keys: None) -> None:
    assert sorted(set(VENDORS) - set(ADDRESSED)) == ["azure", "bedrock", "litellm", "local"]
    nowhere = Profile.of({"provider": "litellm", "model": "openai/m"})
    assert resolve_endpoint(nowhere).url == ""
    for each in (nowhere, nowhere.replace_set(endpoint="https://api.openai.com/v1")):
        assert resolve_api_key(each, resolve_endpoint(each)) is None


@every_vendor
def test_request_goes_to_the_vendors_address(name: str) -> None:
    request = request_of(name, api_key="k" * 8)
    assert request.method == "POST"
    assert request.url == VENDORS[name].base_url + path_of(name)
    assert (request.body or {}).get("model", "m") == "m"


@every_vendor
def test_own_endpoint_and_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(get_endpoint_variable(name), f"{FOREIGN}/variable/")
    by_variable = resolve_endpoint(Profile.of({"provider": name}))
    assert (by_variable.url, by_variable.variable) == (
        f"{FOREIGN}/variable",
        get_endpoint_variable(name),
    )
    mine = f"{FOREIGN}/mine"
    for request in (request_of(name, endpoint=mine), request_of(name, base_url=mine)):
        assert request.url == mine + path_of(name)


@every_vendor
def test_key_goes_to_the_vendors_own_hosts(name: str, all_keys: None) -> None:
    vendor = VENDORS[name]
    first = f"<{vendor.key_variables[0]}>"
    for host in vendor.hosts:
        literal = f"[{host}]" if ":" in host else host
        request = request_of(name, endpoint=f"https://{literal}")
        header = "x-goog-api-key" if name == "gemini" else vendor.key_header
        value = f"Bearer {first}" if header == "Authorization" else first
        assert request.reveal_headers()[header] == value
        assert sent_text(request).count("<") == 1, "no other vendor's key"
        assert first not in request.url


@every_vendor
def test_key_goes_nowhere_else(name: str, all_keys: None) -> None:
    own = VENDORS[name].hosts[0]
    others = ["https://example.com", f"https://{own}.example.com", f"https://not{own}"]
    others += [FOREIGN] if own != "127.0.0.1" else []  # local vendors run on this machine
    for other in others:
        assert "<" not in sent_text(request_of(name, endpoint=other)), other


@every_vendor
def test_key_goes_to_the_endpoint_of_the_same_vendors_variable(
    name: str, all_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(get_endpoint_variable(name), f"{FOREIGN}/v1")
    assert f"<{VENDORS[name].key_variables[0]}>" in sent_text(request_of(name))
    monkeypatch.setenv(get_endpoint_variable(name), "http://example.com/v1")
    with pytest.raises(ConfigError, match="http://"):
        request_of(name)


@every_vendor
def test_missing_key_is_an_error_before_any_request(name: str) -> None:
    if name in KEYED:
        with pytest.raises(AuthError) as caught:
            request_of(name)
        assert VENDORS[name].key_variables[0] in str(caught.value)
        assert caught.value.exit_code == 3
    else:
        assert "Authorization" not in request_of(name).headers


@pytest.mark.parametrize("name", KEYED)
def test_every_key_variable_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VENDORS[name].key_variables:
        monkeypatch.setenv(variable, f"<{variable}>")
        assert "<" in sent_text(request_of(name))
        monkeypatch.delenv(variable)


@every_vendor
def test_named_key_source_wins(name: str, all_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "mine-alone")
    sent = sent_text(request_of(name, api_key_env="MY_KEY", endpoint=FOREIGN))
    assert "mine-alone" in sent
    assert "<" not in sent


ON = {"type": "enabled"}
SHOWN = {"includeThoughts": True}
# (provider, profile settings, fields of the body); the vendors' rules are in docs/protocols.md.
THINKING: list[tuple[str, Json, Json]] = [
    ("openai", {"model": "gpt-4o", "think": True}, {}),
    ("openai", {"model": "o3", "think": True, "api": "chat"}, {}),
    ("openai", {"model": "gpt-5.1", "think": True, "api": "chat"}, {"reasoning_effort": "medium"}),
    ("openai", {"model": "gpt-5", "reasoning": "minimal"}, {"reasoning_effort": "minimal"}),
    ("openai", {"model": "gpt-5.1", "reasoning": "off"}, {"reasoning_effort": "none"}),
    ("openai", {"model": "gpt-5.6", "reasoning": "max"}, {"reasoning_effort": "xhigh"}),
    ("deepseek", {"think": True}, {"thinking": ON}),
    ("deepseek", {"reasoning": "off"}, {"thinking": {"type": "disabled"}}),
    ("deepseek", {"reasoning": "high"}, {"thinking": ON, "reasoning_effort": "high"}),
    ("deepseek", {"reasoning": "max"}, {"thinking": ON, "reasoning_effort": "max"}),
    ("groq", {"think": True}, {"reasoning_format": "parsed"}),
    ("groq", {"reasoning": "low"}, {"reasoning_format": "parsed", "reasoning_effort": "low"}),
    ("groq", {"reasoning": "off"}, {"reasoning_effort": "none"}),
    ("mistral", {"reasoning": "high"}, {"reasoning_effort": "high"}),
    ("xai", {"reasoning": "low"}, {"reasoning_effort": "low"}),
    ("together", {"reasoning": "medium"}, {"reasoning_effort": "medium"}),
    ("fireworks", {"reasoning": "medium"}, {"reasoning_effort": "medium"}),
    ("lmstudio", {"reasoning": "low"}, {"reasoning_effort": "low"}),
    ("siliconflow", {"think": True}, {"enable_thinking": True}),
    ("siliconflow", {"reasoning": "off"}, {"enable_thinking": False}),
    ("alibailian", {"reasoning": "high"}, {"enable_thinking": True}),
    ("zhipu", {"think": True}, {"thinking": ON}),
    ("moonshot", {"reasoning": "off"}, {"thinking": {"type": "disabled"}}),
    ("minimax", {"reasoning": "high"}, {"thinking": {"type": "adaptive"}}),
    ("minimax", {"reasoning": "off"}, {"thinking": {"type": "disabled"}}),
    ("cerebras", {"reasoning": "low"}, {"reasoning_format": "parsed", "reasoning_effort": "low"}),
    ("nvidia", {"think": True}, {"chat_template_kwargs": {"enable_thinking": True}}),
    ("huggingface", {"reasoning": "medium"}, {"reasoning_effort": "medium"}),
    ("perplexity", {"reasoning": "low"}, {"reasoning": {"effort": "low", "summary": "auto"}}),
    ("vllm", {"think": True}, {"chat_template_kwargs": {"enable_thinking": True}}),
    ("vllm", {"reasoning": "off"}, {"chat_template_kwargs": {"enable_thinking": False}}),
    ("llamacpp", {"reasoning": "off"}, {"chat_template_kwargs": {"enable_thinking": False}}),
    ("ollama", {"think": True}, {"think": True}),
    ("ollama", {"reasoning": "off"}, {"think": False}),
    ("ollama", {"reasoning": "minimal"}, {"think": "low"}),
    ("ollama", {"reasoning": "max"}, {"think": "max"}),
    ("openrouter", {"think": True}, {"reasoning": {"enabled": True}}),
    ("openrouter", {"reasoning": "off"}, {"reasoning": {"effort": "none"}}),
    ("openrouter", {"reasoning": "high"}, {"reasoning": {"effort": "high", "enabled": True}}),
    ("openrouter", {"reasoning": "max"}, {"reasoning": {"effort": "xhigh", "enabled": True}}),
]  # fmt: skip
GEMINI: list[tuple[str, Json, Json]] = [
    ("gemini-2.5-flash", {"think": True}, SHOWN),
    ("gemini-2.5-flash", {"reasoning": "off"}, {"thinkingBudget": 0}),
    ("gemini-2.5-flash", {"reasoning": "low"}, SHOWN | {"thinkingBudget": 1024}),
    ("gemini-3-flash", {"reasoning": "off"}, {"thinkingLevel": "MINIMAL"}),
    ("gemini-3-pro", {"reasoning": "max"}, SHOWN | {"thinkingLevel": "HIGH"}),
    ("models/gemini-3-pro", {"reasoning": "low"}, SHOWN | {"thinkingLevel": "LOW"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keys", "sent"), THINKING)
def test_reasoning_parameters_of_each_vendor(name: str, keys: Json, sent: Json) -> None:
    assert body_of(name, **keys) == sent


@pytest.mark.parametrize(("model", "keys", "sent"), GEMINI)
def test_gemini_reasoning_by_budget_or_level(model: str, keys: Json, sent: Json) -> None:
    body = body_of("gemini", model=model, **keys)
    assert body == {"generationConfig": {"thinkingConfig": sent}}


def test_user_option_wins() -> None:
    options = {"chat_template_kwargs": {"thinking": True}}
    assert body_of("vllm", think=True, options=options) == options


@pytest.mark.parametrize(
    ("endpoint", "header"),
    [
        (None, "api-key"),
        ("https://vendor.example/other", "api-key"),
        ("https://gateway.example/v1", "Authorization"),
    ],
)
def test_key_goes_in_the_vendors_header_at_its_own_hosts_only(
    endpoint: str | None, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere it is a bearer token; it is never in both headers."""
    row = Vendor("openai", "https://vendor.example/v1", ("vendor.example",), key_header="api-key")
    monkeypatch.setitem(VENDORS, "example", row)
    monkeypatch.setenv("MY_KEY", "secret-0123456789")
    settings: Json = {"endpoint": endpoint, "api_key_env": "MY_KEY"}
    request = request_of("example", **{name: text for name, text in settings.items() if text})
    sent = {name for name, value in request.headers.items() if isinstance(value, Secret)}
    assert sent == {header}
    bare = request.reveal_headers()[header].removeprefix("Bearer ")
    assert bare == "secret-0123456789"
    assert (header == "api-key") == (bare == request.reveal_headers()[header])
    assert redact(f"{header}: {bare}") == f"{header}: ***"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://apim.azure-api.net/openai",
        "https://res.openai.azure.us",
        "https://a.b.openai.azure.com",
        "https://gw.example",
    ],
)
def test_azures_key_keeps_its_header_at_the_endpoint_of_its_variable(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-0123456789")
    headers = request_of("azure", model="d").reveal_headers()
    assert headers["api-key"] == "azure-0123456789"
    assert "Authorization" not in headers
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    elsewhere = request_of("azure", model="d", endpoint=endpoint, api_key="k").reveal_headers()
    assert elsewhere["Authorization"] == "Bearer k"
    assert "api-key" not in elsewhere


@pytest.mark.parametrize("service", ["bedrock-runtime", "bedrock-runtime-fips"])
@pytest.mark.parametrize("path", ["", "/", "/openai/v1"])
def test_bedrocks_hosts_without_a_path(
    service: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-token")
    host = f"https://{service}.us-east-1.amazonaws.com"
    request = request_of("bedrock", endpoint=host + path)
    assert request.url == f"{host}/openai/v1/chat/completions"
    assert request.reveal_headers()["Authorization"] == "Bearer the-token"


def test_azure_takes_the_deployment_as_the_model_and_the_key_in_its_own_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://res.openai.azure.com/")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-0123456789")
    request = request_of("azure", model="my-deployment", max_tokens=5, reasoning="high")
    assert request.url == "https://res.openai.azure.com/openai/v1/chat/completions"
    body = request.body or {}
    assert body["model"] == "my-deployment"
    assert (body["max_completion_tokens"], body["reasoning_effort"]) == (5, "high")
    headers = request.reveal_headers()
    assert headers["api-key"] == "azure-0123456789"
    assert "Authorization" not in headers


def test_bedrock_takes_its_key_as_a_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-0123456789")
    request = request_of("bedrock", model="openai.gpt-oss-20b-1:0")
    host = "https://bedrock-runtime.us-west-2.amazonaws.com"
    assert request.url == f"{host}/openai/v1/chat/completions"
    assert request.reveal_headers()["Authorization"] == "Bearer bedrock-0123456789"


async def test_a_wrong_deployment_is_not_compared_with_the_models_of_the_list() -> None:
    """Azure lists models, not deployments: a similar name would mislead."""
    refused = Script(b'{"error": {"code": "DeploymentNotFound", "message": "no"}}', status=404)
    with StandIn(script_handler(refused)) as server:
        config = profile("azure", f"{server.url}/openai/v1", model="gpt-4", api_key="k")
        error = await expect_error(NotFoundError, config)
        assert len(server.requests) == 1
    assert "deployment" in error.hint
    nameless = Profile.of({"provider": "azure", "endpoint": "https://res.openai.azure.com"})
    with pytest.raises(ConfigError) as caught:
        await get_completion(nameless)
    assert "deployment" in caught.value.hint


def test_minimax_offers_the_messages_api() -> None:
    request = request_of("minimax", api="anthropic", api_key="minimax-0123456789")
    assert request.url == "https://api.minimax.io/anthropic/v1/messages"
    assert request.reveal_headers()["Authorization"] == "Bearer minimax-0123456789"
