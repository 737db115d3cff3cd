"""An error of the network has the same words over both HTTP clients."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.errors import EasyLLMError
from tests.support.asking import get_completion, profile
from tests.support.over_tls import serve_raw_bytes, serve_tls
from tests.support.proxying import slow_proxy

PROXY_LOGIN = "me:secret-word"
HTTP_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)

# (endpoint, settings, what the message says). {closed}: a port on which nothing listens; {cut},
# {silent}, {text}, {http}: servers that close at once, say nothing, or answer with such bytes;
# {tls}, {expired}, {far}: servers with TLS, of which {far} is one for another host; {tunnel}: a
# proxy that connects to this machine.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "refused": ("http://127.0.0.1:{closed}", {}, "nothing listens at 127.0.0.1"),
    "refused-localhost": ("http://localhost:{closed}", {}, "nothing listens at localhost"),
    "no-such-host": ("https://x.invalid", {}, "no such host: x.invalid"),
    "no-such-name": ("http://a..b", {}, "no such host: a..b"),
    "untrusted": ("https://127.0.0.1:{tls}", {}, "is not trusted"),
    "another-host": ("https://127.0.0.1:{far}", {"ca_bundle": "{authority}"}, "is not trusted"),
    "expired": ("https://127.0.0.1:{expired}", {"ca_bundle": "{authority}"}, "has expired"),
    "tls-cut": ("https://127.0.0.1:{cut}", {}, "during the TLS handshake"),
    "tls-silent": ("https://127.0.0.1:{silent}", {}, "no connection to 127.0.0.1"),
    "no-tls": ("https://127.0.0.1:{http}", {}, "does not speak TLS"),
    "cut": ("http://127.0.0.1:{cut}", {}, "closed the connection"),
    "no-http": ("http://127.0.0.1:{text}", {}, "closed the connection"),
    "proxy-refused": ("https://x.invalid", {"proxy": "{closed}"}, "through the proxy 127.0.0.1"),
    "proxy-refuses": ("https://x.invalid", {"proxy": "{http}"}, "failed: 400 Bad Request"),
    "proxy-cut": ("https://x.invalid", {"proxy": "{cut}"}, "closed the connection through"),
    "proxy-no-http": ("http://x.invalid", {"proxy": "{text}"}, "closed the connection through"),
    "proxy-silent": ("https://x.invalid", {"proxy": "{silent}"}, "no connection within 0.3 s"),
    "tunnel-untrusted": ("https://x.invalid:{tls}", {"proxy": "{tunnel}"}, "not trusted through"),
    "tunnel-cut": ("https://x.invalid:{cut}", {"proxy": "{tunnel}"}, "TLS handshake through"),
    "tunnel-no-tls": ("https://x.invalid:{http}", {"proxy": "{tunnel}"}, "does not speak TLS"),
}  # fmt: skip


class NoRequestHandler(BaseHTTPRequestHandler):
    """Is never reached, because no certificate is trusted."""


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The ports of the servers by the names in CASES, and the file of {authority}."""
    folder: Path = tmp_path_factory.mktemp("authorities")
    with ExitStack() as stack:
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))
        found = {"closed": str(closed.getsockname()[1])}
        for name, sent in {"cut": b"", "silent": None, "text": b"hello", "http": HTTP_400}.items():
            found[name] = str(stack.enter_context(serve_raw_bytes(sent)))
        urls = {"tunnel": stack.enter_context(slow_proxy(0, connect_to="127.0.0.1"))}
        for name, host, ended in (
            ("tls", "127.0.0.1", None),
            ("far", "localhost", None),
            ("expired", "127.0.0.1", EXPIRED),
        ):  # fmt: skip
            serving = serve_tls(NoRequestHandler, folder / f"{name}.pem", host, ended)
            urls[name] = stack.enter_context(serving)
        yield (
            found
            | {name: url.rpartition(":")[2] for name, url in urls.items()}
            | {"authority": str(folder)}
        )


async def error_over(transport: str, case: str, ports: dict[str, str]) -> tuple[object, ...]:
    endpoint, settings, _ = CASES[case]
    keys = {name: value.format(**ports) for name, value in settings.items()}
    if "proxy" in keys:
        keys["proxy"] = f"http://{PROXY_LOGIN}@127.0.0.1:{keys['proxy']}"
    if "ca_bundle" in keys:
        keys["ca_bundle"] += "/far.pem" if "{far}" in endpoint else "/expired.pem"
    config = profile(
        "openai", endpoint.format(**ports), transport=transport, max_retries=0,
        timeout={"connect": 0.3, "first_token": 10}, **keys,
    )  # fmt: skip
    with pytest.raises(EasyLLMError) as caught:
        await get_completion(config)
    error = caught.value
    assert "secret-word" not in str(error)
    return type(error), error.message, error.hint, error.code, error.retryable


@pytest.mark.parametrize("case", CASES)
async def test_same_words_over_both_clients(case: str, ports: dict[str, str]) -> None:
    """The class, the message, the hint, the code and whether it is retried are the same, too."""
    error = await error_over("http", case, ports)
    assert await error_over("aiohttp", case, ports) == error
    assert CASES[case][2] in str(error[1])
