"""Image types: a type that the vendor does not accept is refused before the request."""

import base64
from typing import Any

import pytest

from easyllm_cli.config.endpoints import resolve_endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import UsageError
from easyllm_cli.image_header import sniff_media_type
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.image_inputs import refuse_unsupported_images
from tests.support.adapters import ADAPTERS, Adapter
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.image_files import HEIC, heif
from tests.support.images import gif_1x1, png
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

KINDS = {
    "png": png(1, 1, (0, 0, 0)),
    "jpeg": b"\xff\xd8\xff\xe0" + bytes(20),
    "webp": b"RIFF\0\0\0\0WEBPVP8 " + bytes(20),
    "gif": gif_1x1(),
    "bmp": b"BM" + bytes(60),
    "heic": HEIC,
    "heif": heif(b"mif1", b"avif", b"mif1", b"miaf"),
}
USUAL = {"png", "jpeg", "webp", "gif"}
GATEWAY = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (heif(b"heic", b"mif1", b"heic"), "image/heic"),
        (heif(b"mif1", b"mif1", b"heic"), "image/heic"),
        (heif(b"mif1", b"miaf", b"MiHB", b"hevc"), "image/heic"),
        (heif(b"mif1"), "image/heic"),
        (heif(b"mif1", b"avif", b"mif1", b"miaf"), "image/heif"),
        (heif(b"mif1", b"mif1", b"avif", b"miaf", b"MA1B"), "image/heif"),
        (heif(b"msf1", b"avis", b"msf1"), "image/heif"),
        (heif(b"avif", b"mif1", b"heic"), None),
        (heif(b"isom", b"heic"), None),
    ],
)
def test_heif_media_type_comes_from_its_brands(data: bytes, kind: str | None) -> None:
    assert sniff_media_type(data) == kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (heif(b"avif", b"avif", b"mif1"), "AVIF"),
        (heif(b"avis", b"avif"), "AVIF"),
        (b"II*\0" + bytes(20), "TIFF"),
        (b"MM\0*" + bytes(20), "TIFF"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL"),
        (b"%PDF-1.7\n", "PDF"),
    ],
)
def test_format_that_no_model_accepts_is_named(data: bytes, kind: str) -> None:
    with pytest.raises(
        UsageError, match=f"not an image format that models accept: {kind}"
    ) as caught:
        Image.of_bytes(data, "a.jpg")
    assert "PNG or JPEG" in caught.value.hint


def accepted_kinds(provider: str, model: str = "m", endpoint: str | None = None) -> set[str]:
    """Return the kinds that are not refused."""
    profile = Profile.of({"provider": provider, "model": model, "endpoint": endpoint})
    accepted = set()
    for kind, data in KINDS.items():
        messages = [Message("user", ("hi", Image.of_bytes(data, f"a.{kind}")))]
        try:
            refuse_unsupported_images(messages, resolve_endpoint(profile), provider, model)
            accepted.add(kind)
        except UsageError:
            continue
    return accepted


def test_refusal_names_host_file_and_remedy() -> None:
    messages = [Message("user", ("hi", Image.of_bytes(HEIC, "a.heic")))]
    at = resolve_endpoint(Profile.of({"provider": "openai", "endpoint": "https://api.x.ai/v1"}))
    with pytest.raises(UsageError) as caught:
        refuse_unsupported_images(messages, at, "openai", "grok-4")
    assert str(caught.value) == (
        "api.x.ai takes no image/heic (a.heic): convert the image to PNG or JPEG"
    )


@pytest.mark.parametrize(
    ("provider", "kinds"),
    [
        ("openai", USUAL), ("openrouter", USUAL), ("mistral", USUAL), ("moonshot", USUAL),
        ("xai", {"png", "jpeg"}), ("zhipu", {"png", "jpeg"}),
        ("fireworks", {"png", "jpeg", "gif", "bmp"}), ("llamacpp", {"png", "jpeg", "gif", "bmp"}),
        ("groq", set(KINDS)), ("together", set(KINDS)), ("vllm", set(KINDS)),
        ("lmstudio", set(KINDS)), ("alibailian", set(KINDS)),
    ],
)  # fmt: skip
def test_image_types_that_a_vendor_documents(provider: str, kinds: set[str]) -> None:
    assert accepted_kinds(provider) == kinds


@pytest.mark.parametrize(
    ("url", "kinds"),
    [
        ("https://api.openai.com/v1", USUAL), ("https://api.anthropic.com/v1", USUAL),
        ("https://api.x.ai/v1", {"png", "jpeg"}), ("https://gateway.example/v1", set(KINDS)),
        ("http://127.0.0.1:1234/v1", set(KINDS)),
    ],
)  # fmt: skip
def test_host_decides_the_image_types(url: str, kinds: set[str]) -> None:
    assert accepted_kinds("openai", endpoint=url) == kinds


@pytest.mark.parametrize(
    ("provider", "model", "kinds"),
    [
        ("openai", "gpt-4o", USUAL), ("openai", "openai/gpt-5.2", USUAL), ("openai", "o3", USUAL),
        ("openai", "gemma-3", set(KINDS)), ("openai", "gpt-oss-20b", set(KINDS)),
        ("xai", "grok-4", {"png", "jpeg"}), ("openrouter", "a/b", USUAL),
    ],
)  # fmt: skip
def test_image_types_behind_a_base_url_variable(
    provider: str, model: str, kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENAI_BASE_URL may name any server, so the model's name decides there."""
    monkeypatch.setenv(f"{provider.upper()}_BASE_URL", GATEWAY)
    assert accepted_kinds(provider, model) == kinds


@pytest.mark.parametrize("keys", [
    {"provider": "openai", "model": "gpt-4o"},
    {"provider": "openai", "model": "gpt-4o", "transport": "sdk"},
    {"provider": "openai", "model": "gpt-5", "api": "responses"},
    {"provider": "openrouter", "model": "a/b"},
    {"provider": "xai", "model": "grok-4"},
    {"provider": "gemini", "model": "gemini-2.5-flash"},
])  # fmt: skip
async def test_refusal_needs_no_key_and_no_network(keys: dict[str, Any]) -> None:
    """There is no key and no server: looking for one would fail in another way."""
    provider = provider_for(Profile.of(keys))
    messages = [Message("user", ("hi", Image.of_bytes(KINDS["bmp"], "a")))]
    with pytest.raises(UsageError, match="takes no image/bmp"):
        await provider.chat(messages)
    await provider.aclose()


@pytest.mark.parametrize(
    "args", [("vision", "a.heic", "hi"), ("chat", "-a", "a.heic", "hi"),
             ("cot", "-a", "a.heic", "hi"), ("chat", "--messages", "list.json")],
    ids=" ".join,
)  # fmt: skip
def test_every_way_to_name_an_image(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    (easyllm.home / "a.heic").write_bytes(HEIC)
    url = "data:image/jpeg;base64," + base64.b64encode(HEIC).decode()
    part = '{"type": "image_url", "image_url": {"url": "' + url + '"}}'
    (easyllm.home / "list.json").write_text('[{"role": "user", "content": [' + part + "]}]")
    with StandIn(OpenAIServer().handle) as server:
        env = {"XAI_BASE_URL": f"{server.url}/v1", "XAI_API_KEY": "test-key"}
        ran = easyllm.run(*args, "-p", "xai:grok-4", env=env)
        assert (ran.code, ran.stdout, server.requests) == (2, b"", [])
    assert "xai takes no image/heic" in ran.error_line


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
def test_other_servers_get_every_image_type(easyllm: Easyllm, adapter: Adapter) -> None:
    """Only some adapters refuse a type at any address: their protocols name the types."""
    (easyllm.home / "a.bmp").write_bytes(KINDS["bmp"])
    with StandIn(script_handler(adapter.script("red"))) as server:
        keys = {"model": adapter.vision_model, "api": adapter.api, "transport": adapter.transport}
        profiles = single_profile_toml(server, adapter.provider, **keys)
        ran = easyllm.run("vision", "a.bmp", "describe", profiles=profiles)
    refuses = adapter.provider in ("ollama", "gemini", "anthropic")
    assert ran.code == (2 if refuses else 0), ran.stderr
    assert ("takes no image/bmp" in ran.stderr) == refuses
