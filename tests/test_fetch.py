"""Pictures fetched for providers that take bytes only: over real TLS, each hop looked at first."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from easyllm_cli.errors import EasyLLMError, UsageError
from easyllm_cli.messages import MAX_IMAGE_BYTES, Image
from easyllm_cli.profiles import Profile
from easyllm_cli.transport import fetch
from tests.pictures import png

RED = png(8, 8, (255, 0, 0))


@dataclass
class Site:
    """A small https site and what was asked of it."""

    url: str
    profile: Profile
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, {key.lower(): one for key, one in self.headers.items()}))
            target = {"/moved": "/red.png", "/away": "https://10.0.0.1/red.png", "/loop": "/loop"}
            self.send_response(302 if self.path in target else 200)
            if self.path in target:
                self.send_header("Location", target[self.path])
            body = {"/red.png": RED, "/page": b"<html>"}.get(self.path, b"")
            body = b"\x89PNG\r\n\x1a\n" + bytes(MAX_IMAGE_BYTES) if self.path == "/huge" else body
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Quiet(ThreadingHTTPServer):
    """A client that hangs up in the middle of a large body is no event."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """On this machine, with an authority of its own that the profile names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    headers = {"X-Token": "sk-not-for-strangers"}
    profile = Profile(ca_bundle=str(tmp_path / "ca.pem"), headers=headers)
    made = Site("", profile)
    server = Quiet(("127.0.0.1", 0), handler_of(made))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This machine stands for a public one; every other address meets the real guard."""
    real = fetch.refuse_private
    seen: list[str] = []

    async def guard(url: str) -> None:
        seen.append(url)
        if not url.startswith("https://127.0.0.1:"):
            await real(url)

    monkeypatch.setattr(fetch, "refuse_private", guard)
    return seen


async def test_fetched_through_a_redirect(site: Site, looked_at: list[str]) -> None:
    image = await fetch.fetched(Image.of(site.url + "/moved"), site.profile)
    assert (image.data, image.media_type) == (RED, "image/png")
    assert looked_at == [site.url + "/moved", site.url + "/red.png"]
    for _, headers in site.asked:
        assert "x-token" not in headers
        assert "authorization" not in headers


async def test_a_picture_with_bytes_asks_nobody(site: Site) -> None:
    image = Image.of(RED)
    assert await fetch.fetched(image, site.profile) is image
    assert site.asked == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/away", "private network"),
        ("/loop", "redirects"),
        ("/page", "not an image"),
        ("/huge", "larger than 20 MB"),
    ],
)
async def test_refused(site: Site, looked_at: list[str], path: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await fetch.fetched(Image.of(site.url + path), site.profile)
    assert all(asked.startswith("/") for asked, _ in site.asked)
    assert len(site.asked) <= fetch.MAX_HOPS


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "192.168.0.1"]
)
async def test_private_addresses_are_never_asked(host: str) -> None:
    with pytest.raises(UsageError, match="private network"):
        await fetch.fetched(Image.of(f"https://{host}:9/x.png"), Profile())


async def test_a_stranger_certificate_is_not_trusted(site: Site, looked_at: list[str]) -> None:
    with pytest.raises(EasyLLMError, match="certificate"):
        await fetch.fetched(Image.of(site.url + "/red.png"), Profile())
    assert site.asked == []


async def test_no_such_host() -> None:
    with pytest.raises(UsageError, match="no such host"):
        await fetch.fetched(Image.of("https://x.invalid/x.png"), Profile())
