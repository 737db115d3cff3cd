"""Local servers with TLS and their own certificate authority, or with a broken handshake."""

import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


@contextmanager
def serve_tls(
    handler: type[BaseHTTPRequestHandler],
    authority: Path,
    host: str = "127.0.0.1",
    ended: datetime | None = None,
) -> Iterator[str]:
    """Run a TLS server for the block; yield its URL, and write its CA to the file `authority`.

    `ended`: the time at which its certificate expired.
    """
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host, not_after=ended).configure_cert(context)

    class Quiet(ThreadingHTTPServer):
        """Prints no error for a client that refuses the certificate."""

        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"https://{host}:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@contextmanager
def serve_raw_bytes(sent: bytes | None) -> Iterator[int]:
    """Answer each client's first bytes with `sent`, or stay silent (None); yield the port."""

    class Greeter(socketserver.StreamRequestHandler):
        """Reads the client's bytes first, so that closing sends no RST."""

        def handle(self) -> None:
            self.connection.recv(65536)
            if sent is None:
                self.connection.recv(1)
            else:
                self.connection.sendall(sent)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


class SlowToConnect(BaseHTTPRequestHandler):
    """Delays the TLS handshake, then sends `sends`, and then `drip` again and again."""

    protocol_version = "HTTP/1.1"
    connecting = 0.0  # seconds before the handshake
    sends = b""
    content_type = "text/event-stream"
    drip = b": ping\n\n"

    def setup(self) -> None:
        time.sleep(self.connecting)
        super().setup()

    def do_POST(self) -> None:
        started_at = time.monotonic()
        self.send_response(200)
        self.send_header("Content-Type", self.content_type)
        self.end_headers()
        self.wfile.write(self.sends)
        self.close_connection = True
        with suppress(OSError):
            while self.drip and time.monotonic() - started_at < 20:
                self.wfile.write(self.drip)
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        pass
