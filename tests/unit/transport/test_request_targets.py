"""What a request is sent to, and how: URL, headers, proxy and certificates, over both clients."""

import asyncio
from pathlib import Path

import pytest

from easyllm_cli.errors import ConfigError, EasyLLMError, NetworkError
from easyllm_cli.transport.base import Request
from easyllm_cli.transport.timeouts import ResponseTimer
from tests.support.asking import expect_error, get_completion, profile
from tests.support.over_tls import SlowToConnect, serve_tls
from tests.support.proxying import slow_proxy
from tests.support.sending import AT_ONCE, OK, open_transport, post, serve_raw
from tests.support.standins.script import DONE, Script, chunk, script_handler
from tests.support.standins.server import StandIn

over_both = pytest.mark.parametrize("transport", ["http", "aiohttp"])
HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)


PATHS = {
    "/v1/a%2Fb%20c/%41+~:@!$&'()*,;=|^[]": "/v1/a%2Fb%20c/%41+~:@!$&'()*,;=|^[]",
    "/v1/m\u00fcnchen": "/v1/m%C3%BCnchen",
    "/v1?alt=sse&x=%2f+{}": "/v1?alt=sse&x=%2f+{}",
    "/v1/{model}": "/v1/%7Bmodel%7D",
    "": "/",
}


@over_both
@pytest.mark.parametrize(("path", "target"), PATHS.items())
async def test_the_target_is_sent_as_it_is_written(transport: str, path: str, target: str) -> None:
    targets = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        targets.append(head.split()[1].decode())
        writer.write(OK + b"Content-Length: 0\r\n\r\n")

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        await post(sender, url + path)
    assert targets == [target]


@over_both
@pytest.mark.parametrize("letter", [b"\xe9", b"\xc3\xa9"], ids=["latin-1", "utf-8"])
async def test_headers_are_read(transport: str, letter: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"X-A: 1\r\nx-a: 2\r\nX-Letter: %b\r\n" % letter)
        writer.write(b"X-Long: %b\r\nContent-Length: 0\r\n\r\n" % (b"v" * 60_000))

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        timer = ResponseTimer(AT_ONCE, AT_ONCE)
        async with sender.open(Request("GET", url), timer) as response:
            headers = response.headers
    assert (headers["x-a"], headers["x-letter"], len(headers["x-long"])) == (
        "1, 2",
        "\u00e9",
        60_000,
    )


@over_both
@pytest.mark.parametrize(
    "lines",
    [
        b"X-A: %b\r\n" % (b"v" * 400_000),
        b"".join(b"X-%d: %b\r\n" % (n, b"v" * 4000) for n in range(300)),
    ],
    ids=["long", "many"],
)
async def test_headers_are_limited(transport: str, lines: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + lines + b"Content-Length: 0\r\n\r\n")
        await reader.read()

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        with pytest.raises(NetworkError, match="the HTTP headers that") as caught:
            await post(sender, url)
    assert not caught.value.retryable


LOGIN = "me:p%40ss%C3%A9word"
BASIC = "Basic bWU6cEBzc8Opd29yZA=="
VARIABLES: dict[str, tuple[dict[str, str], bool]] = {
    "http": ({"http_proxy": "{proxy}"}, True),
    "upper case": ({"HTTP_PROXY": "{proxy}"}, True),
    "all": ({"all_proxy": "{proxy}"}, True),
    "no scheme": ({"http_proxy": "{bare}"}, True),
    "https only": ({"https_proxy": "{proxy}"}, False),
    "no_proxy": ({"http_proxy": "{proxy}", "no_proxy": "other,far.invalid"}, False),
    "no_proxy domain": ({"http_proxy": "{proxy}", "NO_PROXY": ".invalid"}, False),
    "no_proxy of another": ({"http_proxy": "{proxy}", "no_proxy": "near.invalid"}, True),
    "no_proxy for all": ({"http_proxy": "{proxy}", "no_proxy": "*"}, False),
}


@over_both
@pytest.mark.parametrize(("variables", "used"), VARIABLES.values(), ids=VARIABLES)
async def test_proxy_of_the_environment(
    transport: str, variables: dict[str, str], used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn(script_handler(HELLO)) as proxy:
        for name, value in variables.items():
            bare = proxy.url.removeprefix("http://")
            monkeypatch.setenv(name, value.format(proxy=proxy.url, bare=bare))
        config = profile("openai", "http://far.invalid/v1", transport=transport, max_retries=0)
        if used:
            assert (await get_completion(config))["text"] == "Hello"
            assert proxy.requests[0].headers["host"] == "far.invalid"
        else:
            await expect_error(NetworkError, config)
            assert proxy.requests == []


@over_both
async def test_login_of_a_proxy(transport: str) -> None:
    """It goes to the proxy: in the request over http, in the request for a tunnel over https."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Who Are You\r\nContent-Length: 0\r\n\r\n")

    async with serve_raw(serve) as url:
        proxy = url.replace("://", f"://{LOGIN}@")
        for scheme in ("http", "https"):
            config = profile(
                "openai", f"{scheme}://far.invalid/v1", transport=transport, proxy=proxy,
                max_retries=0,
            )  # fmt: skip
            with pytest.raises(EasyLLMError) as caught:
                await get_completion(config)
            assert "word" not in str(caught.value)
    assert "the proxy 127.0.0.1" in str(caught.value)
    assert "407 Who Are You" in str(caught.value)
    plain, tunnel = (head.decode("latin-1") for head in heads)
    assert plain.startswith("POST http://far.invalid/v1/chat/completions HTTP/1.1")
    assert tunnel.startswith("CONNECT far.invalid:443 HTTP/1.1")
    for head in (plain, tunnel):
        assert f"\r\nproxy-authorization: {BASIC}\r\n" in head.lower().replace(BASIC.lower(), BASIC)


@pytest.mark.parametrize(
    "proxy", ["nonsense", "ftp://h:1", "socks5://h:1", "http://", "http://h:x"]
)
async def test_a_proxy_that_aiohttp_cannot_use(proxy: str) -> None:
    config = profile("openai", "http://far.invalid/v1", transport="aiohttp", proxy=proxy)
    error = await expect_error(ConfigError, config)
    assert error.message.startswith("the proxy cannot be used: ")
    assert error.code == "proxy"


@over_both
async def test_authorities_of_the_environment(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names the certificates that are trusted, and https_proxy the way."""
    monkeypatch.setattr(SlowToConnect, "sends", chunk("Hello", finish="stop") + DONE)
    monkeypatch.setattr(SlowToConnect, "drip", b"")
    authority = tmp_path / "authority.pem"
    with (
        serve_tls(SlowToConnect, authority, "models.example") as url,
        slow_proxy(0, connect_to="127.0.0.1") as tunnel,
    ):
        monkeypatch.setenv("https_proxy", tunnel)
        config = profile("openai", f"{url}/v1", transport=transport, max_retries=0)
        assert "is not trusted" in (await expect_error(NetworkError, config)).message
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert (await get_completion(config))["text"] == "Hello"
        # A profile with a proxy of its own uses nothing of the environment.
        error = await expect_error(NetworkError, config.replace_set(proxy=tunnel))
        assert "is not trusted" in error.message
