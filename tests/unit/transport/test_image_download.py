"""Image downloads for providers that accept bytes only: over real TLS, within every limit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError, EasyLLMError, NetworkError, UsageError
from easyllm_cli.images import Image
from easyllm_cli.transport import image_download
from tests.support.image_site import RED, Site, serve_image_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """On this machine, with a certificate authority of its own that the profile names."""
    with serve_image_site(tmp_path) as running_site:
        yield running_site


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were checked; this machine counts as public, all others meet the real guard."""
    real = image_download.resolve_public_addresses
    seen: list[str] = []

    async def guard(url: str) -> list[str]:
        seen.append(url)
        return ["127.0.0.1"] if url.startswith("https://127.0.0.1:") else await real(url)

    monkeypatch.setattr(image_download, "resolve_public_addresses", guard)
    return seen


async def test_download_through_a_redirect(site: Site, looked_at: list[str]) -> None:
    image = await image_download.download_image(Image.of(site.url + "/moved"), site.profile)
    assert (image.data, image.media_type) == (RED, "image/png")
    assert looked_at == [site.url + "/moved", site.url + "/red.png"]
    for _, headers in site.asked:
        assert "x-token" not in headers
        assert "authorization" not in headers
        assert "cookie" not in headers


async def test_image_with_bytes_is_not_downloaded(site: Site) -> None:
    image = Image.of(RED)
    assert await image_download.download_image(image, site.profile) is image
    assert site.asked == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/away", "private network"),
        ("/loop", "redirects"),
        ("/plain", "over https:// only"),
        ("/file", "over https:// only"),
        ("/odd", "image URL is not valid"),
        ("/with-a-name", "user name or password"),
        ("/page", "not an image"),
        ("/huge", "larger than 20 MB"),
        ("/bomb.png", "60000 × 60000 pixels"),
        ("/packed", "sent gzip"),
        ("/404", "HTTP 404"),
        ("/401", "HTTP 401"),
    ],
)
async def test_fault_64_refused(site: Site, looked_at: list[str], path: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        await image_download.download_image(Image.of(site.url + path), site.profile)
    assert caught.value.where
    assert "u:p" not in str(caught.value)
    assert all(asked.startswith("/") for asked, _ in site.asked)
    assert len(site.asked) <= image_download.MAX_REDIRECTS


async def test_server_failure_is_retryable(site: Site, looked_at: list[str]) -> None:
    with pytest.raises(BusyError) as caught:
        await image_download.download_image(Image.of(site.url + "/503"), site.profile)
    assert caught.value.retryable


async def test_whole_download_has_a_time_limit(
    site: Site, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_download, "DOWNLOAD_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(NetworkError, match=r"within 0.3 s"):
        await image_download.download_image(Image.of(site.url + "/slow"), site.profile)


async def test_unknown_certificate_is_not_trusted(site: Site, looked_at: list[str]) -> None:
    with pytest.raises(EasyLLMError, match="certificate"):
        await image_download.download_image(Image.of(site.url + "/red.png"), Profile())
    assert site.asked == []


async def test_no_such_host() -> None:
    with pytest.raises(UsageError, match="no such host"):
        await image_download.download_image(Image.of("https://x.invalid/x.png"), Profile())
