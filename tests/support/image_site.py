"""An https server with images, redirects, error statuses and files that are no images."""

import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from easyllm_cli.config.profile import Profile
from easyllm_cli.images import MAX_IMAGE_BYTES
from tests.support.image_files import exif, jpeg
from tests.support.images import png

RED = png(8, 8, (255, 0, 0))


@dataclass
class Site:
    """A running site, a profile that trusts it, and the (path, headers) of each request."""

    url: str
    profile: Profile
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


BODIES = {
    "/red.png": RED,
    "/photo.jpg": jpeg(exif(6)),
    "/page": b"<html>",
    "/huge": b"\x89PNG\r\n\x1a\n" + bytes(MAX_IMAGE_BYTES),
    "/bomb.png": RED[:16] + struct.pack(">II", 60_000, 60_000) + RED[24:],
}
MOVED = {
    "/moved": "/red.png", "/away": "https://10.0.0.1/red.png", "/loop": "/loop",
    "/plain": "http://127.0.0.1:9/red.png", "/file": "file:///etc/passwd",
    "/odd": "https://[::1/red.png", "/with-a-name": "https://u:p@127.0.0.1/red.png",
}  # fmt: skip


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(
                (self.path, {key.lower(): value for key, value in self.headers.items()})
            )
            status = 302 if self.path in MOVED else int(self.path[1:4]) if self.is_status() else 200
            self.send_response(status)
            if self.path in MOVED:
                self.send_header("Location", MOVED[self.path])
            self.send_header("Set-Cookie", "who=you")
            if self.path == "/packed":
                self.send_header("Content-Encoding", "gzip")
            body = BODIES.get(self.path, b"")
            self.send_header("Content-Length", str(len(body) or 100 * (self.path == "/slow")))
            self.end_headers()
            self.wfile.write(body)
            while self.path == "/slow":
                self.wfile.write(b"x")
                time.sleep(0.05)

        def is_status(self) -> bool:
            return self.path[1:].isdecimal()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Quiet(ThreadingHTTPServer):
    """Prints no error for a client that disconnects in the middle of a large body."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def serve_image_site(
    folder: Path, address: str = "127.0.0.1", name: str = "127.0.0.1"
) -> Iterator[Site]:
    """Run a site at the address, with a certificate for the name; its profile trusts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    headers = {"X-Token": "sk-not-for-strangers"}
    profile = Profile(ca_bundle=str(folder / "ca.pem"), headers=headers)
    site = Site("", profile)
    server = Quiet((address, 0), handler_of(site))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"https://{name}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join(5)
