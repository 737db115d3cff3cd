"""A proxy for CONNECT tunnels that can wait before each tunnel."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _tunnel(client: socket.socket, waits: float, connect_to: str) -> None:
    head = b""
    with client, suppress(OSError):
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        host, _, port = head.split()[1].decode().rpartition(":")
        time.sleep(waits)
        with socket.create_connection((connect_to or host, int(port)), 10) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            downstream = threading.Thread(target=_forward, args=(server, client), daemon=True)
            downstream.start()
            _forward(client, server)
            downstream.join(10)


@contextmanager
def slow_proxy(waits: float, connect_to: str = "") -> Iterator[str]:
    """Yield the URL of a proxy that waits `waits` seconds before each tunnel.

    `connect_to`: the host it connects to, whichever is asked for; "" = that one.
    """

    def accept() -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                threading.Thread(
                    target=_tunnel, args=(client, waits, connect_to), daemon=True
                ).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
