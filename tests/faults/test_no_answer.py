"""Failed connections: nothing listens, unknown host, untrusted certificate, dead proxy."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.binary import Easyllm, RunResult, run_concurrently, single_profile_toml
from tests.support.faults.fault import KEY
from tests.support.over_tls import serve_raw_bytes, serve_tls

ADAPTERS = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
RETRIES = 2


class NoRequestHandler(BaseHTTPRequestHandler):
    """Fails if a request arrives."""

    def do_POST(self) -> None:
        raise AssertionError("a request went over a connection that was not trusted")


@contextmanager
def free_port() -> Iterator[int]:
    """Yield a reserved port on which nothing listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield int(reserved.getsockname()[1])


def run_stream_and_chat(
    easyllm: Easyllm, adapter: Adapter, url: str, *args: str, env: dict[str, str] | None = None,
    **keys: object,
) -> tuple[RunResult, RunResult]:  # fmt: skip
    """Run `stream` and `chat` at the same time, which must end the same way."""
    settings = {"model": adapter.model, "api": adapter.api, "api_key": KEY, "max_retries": RETRIES}
    profiles = single_profile_toml(url + adapter.base, adapter.provider, **{**settings, **keys})
    stream, chat = run_concurrently(*[
        lambda command=command: easyllm.with_new_home().run(
            command, *args, "hi", profiles=profiles, env=env
        )
        for command in ("stream", "chat")
    ])  # fmt: skip
    return stream, chat


def last_error_lines(*runs: RunResult) -> Iterator[str]:
    """Check that the runs exit with 6 and print nothing; yield each one's last error line."""
    for ran in runs:
        assert (ran.code, ran.stdout) == (6, b""), ran.stderr
        assert KEY not in ran.stderr
        assert "Traceback" not in ran.stderr
        yield ran.stderr.splitlines()[-1]


@ADAPTERS
def test_fault_01_nothing_listens_on_loopback(easyllm: Easyllm, adapter: Adapter) -> None:
    with free_port() as port:
        runs = run_stream_and_chat(
            easyllm, adapter, f"http://127.0.0.1:{port}", initial_retry_delay=30
        )
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert f"nothing listens at 127.0.0.1:{port}" in line
        assert ran.error_line == line, "tried once"


def test_fault_01_refused_by_another_address_is_retried(easyllm: Easyllm) -> None:
    """An address that is not loopback is retried: the server may be starting."""
    address = own_address()
    with socket.socket() as reserved:
        reserved.bind((address, 0))
        runs = run_stream_and_chat(
            easyllm,
            HTTP_ADAPTERS[0],
            f"http://{address}:{reserved.getsockname()[1]}",
            allow_http=True,
        )
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert f"nothing listens at {address}" in line
        assert f"try {RETRIES + 1}" in ran.stderr


def own_address() -> str:
    """Return this machine's network address, without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.fail("this machine has no address but loopback ones, and this test needs one")
        return str(probe.getsockname()[0])


@ADAPTERS
def test_fault_02_no_such_host(easyllm: Easyllm, adapter: Adapter) -> None:
    runs = run_stream_and_chat(easyllm, adapter, "https://x.invalid")
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert "x.invalid" in line
        assert ran.error_line == line, "not tried again"


@ADAPTERS
def test_fault_03_untrusted_certificate(easyllm: Easyllm, adapter: Adapter, tmp_path: Path) -> None:
    with serve_tls(NoRequestHandler, tmp_path / "authority.pem") as url:
        runs = run_stream_and_chat(easyllm, adapter, url)
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert "certificate" in line
        assert "insecure" not in line
        assert ran.error_line == line, "not tried again"


def test_fault_03_the_certificate_of_another_host(easyllm: Easyllm, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    with serve_tls(NoRequestHandler, authority, "localhost") as url:
        other = url.replace("localhost", "127.0.0.1")
        runs = run_stream_and_chat(easyllm, HTTP_ADAPTERS[0], other, ca_bundle=str(authority))
        for line in last_error_lines(*runs):
            assert "certificate" in line


def test_fault_03_a_certificate_that_has_expired(easyllm: Easyllm, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    with serve_tls(NoRequestHandler, authority, ended=datetime(2020, 1, 1, tzinfo=UTC)) as url:
        runs = run_stream_and_chat(easyllm, HTTP_ADAPTERS[0], url, ca_bundle=str(authority))
        for line in last_error_lines(*runs):
            assert "certificate has expired" in line


HTTP_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HANDSHAKES: dict[str, tuple[bytes | None, str, int]] = {
    "plain-http": (HTTP_400, "does not speak TLS", 1),
    "cut": (b"", "closed the connection during the TLS handshake", RETRIES + 1),
    "silence": (None, "no connection to 127.0.0.1", RETRIES + 1),
}


@pytest.mark.parametrize(
    ("sent", "says", "tries"), HANDSHAKES.values(), ids=[f"fault_03-{name}" for name in HANDSHAKES]
)
def test_failed_handshake(easyllm: Easyllm, sent: bytes | None, says: str, tries: int) -> None:
    """A cut and a silence are retried; a server without TLS is not."""
    with serve_raw_bytes(sent) as port:
        url = f"https://127.0.0.1:{port}"
        runs = run_stream_and_chat(easyllm, HTTP_ADAPTERS[0], url, timeout={"connect": 1})
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert says in line
        assert len(ran.stderr.splitlines()) == tries


@ADAPTERS
def test_fault_06_a_dead_proxy(easyllm: Easyllm, adapter: Adapter) -> None:
    with free_port() as port:
        proxy = {"HTTPS_PROXY": f"http://user:secret@127.0.0.1:{port}"}
        runs = run_stream_and_chat(easyllm, adapter, "https://far.invalid", env=proxy)
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert f"proxy 127.0.0.1:{port}" in line
        assert "secret" not in ran.stderr
        assert f"try {RETRIES + 1}" in ran.stderr


def test_fault_07_no_retry_over_a_dead_proxy(easyllm: Easyllm) -> None:
    with free_port() as port:
        runs = run_stream_and_chat(
            easyllm, HTTP_ADAPTERS[0], "https://far.invalid", "--no-retry",
            env={"HTTPS_PROXY": f"http://127.0.0.1:{port}"},
        )  # fmt: skip
    for line, ran in zip(last_error_lines(*runs), runs, strict=True):
        assert ran.error_line == line
