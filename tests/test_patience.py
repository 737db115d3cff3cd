"""The timers of one answer: what counts as waiting for the server, and what does not."""

import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from easyllm_cli.errors import FirstTokenTimeout
from tests.asking import failure, profile
from tests.over_tls import over_tls

CONNECTING = 0.5  # seconds that the TLS handshake takes
FIRST_TOKEN = 1.0


class SlowToConnect(BaseHTTPRequestHandler):
    """Is late for the TLS handshake, and then sends comments until the client leaves."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        time.sleep(CONNECTING)
        super().setup()

    def do_POST(self) -> None:
        came = time.monotonic()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        with suppress(OSError):
            while time.monotonic() - came < 20:
                self.wfile.write(b": ping\n\n")
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    authority = tmp_path / "authority.pem"
    with over_tls(SlowToConnect, authority) as url:
        yield url, authority


@pytest.mark.parametrize("transport", ["http", "sdk"])
async def test_connecting_does_not_eat_into_first_token(
    slow: tuple[str, Path], transport: str
) -> None:
    url, authority = slow
    asked = profile(
        "openai", f"{url}/v1", transport=transport, api_key="k", ca_bundle=str(authority),
        timeout={"connect": 10, "first_token": FIRST_TOKEN}, max_retries=0,
    )  # fmt: skip
    began = time.monotonic()
    error = await failure(FirstTokenTimeout, asked)
    assert time.monotonic() - began >= CONNECTING + FIRST_TOKEN
    assert f"no token came within {FIRST_TOKEN:g} s" in str(error)
