"""Tests images that are invalid, too large or at a refused URL: 2, no request (FAULT-64).

They must not be read either. The proofs: the peak memory of the run, a FIFO whose writer stays
blocked, and the number of bytes that a pipe's writer could write.
"""

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from easyllm_cli.image_header import MAX_PIXELS
from easyllm_cli.images import MAX_IMAGE_BYTES
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.binary import Easyllm, single_profile_toml, split_error_line
from tests.support.images import png
from tests.support.peak import run_with_peak_memory, usual_peak
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

READ = MAX_IMAGE_BYTES * 3  # extra bytes a run may use: the image and its chunks
PNG = png(4, 4, (255, 0, 0))
HUGE = struct.pack(">II", 60_000, 60_000)
BOMBS = {
    "png": PNG[:16] + HUGE + PNG[24:],
    "png-without-an-end": PNG[:16] + HUGE,
    "gif": b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + bytes(9),
    "gif-second-picture": (
        b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
        + b"!\xf9\x04" + bytes(5)
        + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
        + b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0x80) + bytes(9)
    ),
    "bmp": b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 60_000, -60_000, 1, 24) + bytes(24),
    "bmp-of-os2": b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 60_000, 60_000, 1, 24),
    "jpeg": b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 60_000, 60_000, 3) + bytes(9),
    "jpeg-behind-rubbish": (
        b"\xff\xd8\xff\xe0\x00\x04ab" + b"rubbish" + b"\xff\xff\xc2"
        + struct.pack(">HBHHB", 17, 8, 60_000, 60_000, 3) + bytes(9)
    ),
    "webp": b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + b"\x5f\xea\x00" * 2 + bytes(8),
    "heic": b"\0\0\0\x18ftypheic" + bytes(40) + b"ispe\0\0\0\0" + HUGE,
}  # fmt: skip


@pytest.fixture
def folder(easyllm: Easyllm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of files with image names that are no images, and `real.png`, which is one."""
    images = easyllm.home / "p"
    images.mkdir()
    (images / "real.png").write_bytes(PNG)
    (images / "text.png").write_bytes(b"<svg/>" * 9)
    (images / "folder.png").mkdir()
    os.mkfifo(images / "fifo.png")
    with (images / "sparse.png").open("wb") as file:
        file.write(PNG)
        file.truncate(1 << 30)
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(images)  # a socket's path may have at most 107 bytes
        listener.bind("socket.png")
        for name in ("folder", "fifo", "sparse", "socket"):
            (images / f"{name}-link.png").symlink_to(images / f"{name}.png")
        (images / "zero-link.png").symlink_to("/dev/zero")
        (images / "loop.png").symlink_to(images / "loop.png")
        yield images


NO_FILE = "not a regular file"
NO_PICTURES = {
    "folder.png": NO_FILE, "fifo.png": NO_FILE, "socket.png": NO_FILE, "/dev/zero": NO_FILE,
    "/dev/tty": NO_FILE, "folder-link.png": NO_FILE, "fifo-link.png": NO_FILE,
    "socket-link.png": NO_FILE, "zero-link.png": NO_FILE, "loop.png": "cannot read",
    "sparse.png": "larger than 20 MB", "sparse-link.png": "larger than 20 MB",
    "text.png": "not an image",
}  # fmt: skip
if sys.platform == "linux":
    empty = dict.fromkeys(("/proc/self/environ", "/proc/self/mem"), "the file is empty")
    NO_PICTURES |= {**empty, "/sys/kernel/uevent_seqnum": "not an image"}


@pytest.fixture
def refused(easyllm: Easyllm) -> Iterator[Callable[..., str]]:
    """Runs a command that must fail without a request and with little memory; gives its error."""
    with StandIn(script_handler(HTTP_ADAPTERS[0].script("a picture"))) as server:
        easyllm.write_profiles(single_profile_toml(server))

        def ask(*args: str, cap: int = MAX_IMAGE_BYTES // 2, **more: object) -> str:
            ran, peak = run_with_peak_memory(easyllm, *args, **more)
            assert (ran.code, ran.stdout, server.requests) == (2, b"", []), ran.stderr
            assert peak - usual_peak(HTTP_ADAPTERS[0]) < cap
            return split_error_line(ran.error_line)[0]

        yield ask


@pytest.mark.parametrize("name", NO_PICTURES)
def test_fault_64_not_an_image(refused: Callable[..., str], folder: Path, name: str) -> None:
    assert NO_PICTURES[name] in refused("vision", str(folder / name), "describe")


def test_fault_64_attached_or_second_image(refused: Callable[..., str], folder: Path) -> None:
    assert NO_FILE in refused("chat", "-a", str(folder / "fifo.png"), "describe")
    real = str(folder / "real.png")
    assert NO_FILE in refused("vision", real, str(folder / "fifo.png"), "describe")


def test_fault_64_a_fifo_is_not_opened(refused: Callable[..., str], folder: Path) -> None:
    opened = threading.Event()

    def write() -> None:
        with (folder / "fifo.png").open("wb"):
            opened.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        refused("vision", str(folder / "fifo.png"), "describe")
        assert not opened.is_set()
    finally:
        os.close(os.open(folder / "fifo.png", os.O_RDONLY | os.O_NONBLOCK))
        writer.join(10)


@pytest.mark.parametrize("name", BOMBS)
def test_fault_64_too_many_pixels(refused: Callable[..., str], folder: Path, name: str) -> None:
    (folder / "bomb.png").write_bytes(BOMBS[name])
    error = refused("vision", str(folder / "bomb.png"), "describe")
    assert "60000 × 60000 pixels" in error
    assert f"{MAX_PIXELS // 1_000_000} million" in error


def test_fault_64_on_stdin(refused: Callable[..., str]) -> None:
    assert "60000 × 60000" in refused("vision", "-", "describe", stdin=BOMBS["png"])
    assert "not an image" in refused("vision", "-", "describe", stdin=b"<svg/>")
    with Path("/dev/zero").open("rb") as zero:
        assert "longer than 20 MiB" in refused("vision", "-", "describe", file=zero, cap=READ)


def test_fault_64_an_endless_pipe_is_read_up_to_the_cap(refused: Callable[..., str]) -> None:
    reader, writer = os.pipe()
    wrote = 0

    def write() -> None:
        nonlocal wrote
        try:
            while True:
                wrote += os.write(writer, bytes(1 << 16))
        except BrokenPipeError:
            os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as file:
        error = refused("vision", "-", "describe", file=file, cap=READ)
    thread.join(10)
    assert "longer than 20 MiB" in error
    assert wrote <= MAX_IMAGE_BYTES + (1 << 18), "the cap, one chunk and the pipe's buffer"


ELSEWHERE = {
    "http://169.254.169.254/latest/meta-data": "http://", "file:///etc/passwd": "file://",
    "gopher://127.0.0.1/x": "gopher://", "ftp://127.0.0.1/x.png": "ftp://",
    "data:,hello": ";base64", "data:image/png,%89PNG": ";base64", "data:": ";base64",
    "data:image/png;base64,@@@": "base64", "data:image/png;base64,aGVsbG8=": "not an image",
}  # fmt: skip


@pytest.mark.parametrize("url", ELSEWHERE)
def test_fault_64_other_urls(refused: Callable[..., str], url: str) -> None:
    assert ELSEWHERE[url] in refused("vision", url, "describe")
    listed = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    assert refused("chat", "--messages", "-", "describe", stdin=json.dumps(listed))


def adapters(*names: str) -> list[Adapter]:
    return [adapter for adapter in HTTP_ADAPTERS if adapter.name in names]


@pytest.mark.parametrize("adapter", adapters("ollama", "gemini"), ids=lambda adapter: adapter.id)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_fault_64_private_addresses_are_not_fetched(
    easyllm: Easyllm, adapter: Adapter, host: str
) -> None:
    """A listener on this machine gets no connection, and the model gets no prompt."""
    with (
        StandIn(adapter.server().handle) as server,
        socket.create_server(("127.0.0.1", 0)) as inside,
    ):
        inside.setblocking(False)
        url = f"https://{host}:{inside.getsockname()[1]}/x.png"
        profiles = single_profile_toml(
            server, adapter.provider, model=adapter.vision_model, api_key_env="KEY"
        )
        ran = easyllm.run("vision", url, "describe", profiles=profiles, env={"KEY": "test-key"})
        assert (ran.code, ran.stdout) == (2, b"")
        assert "private network" in ran.error_line
        assert not [request for request in server.requests if b"describe" in request.body]
        with pytest.raises(BlockingIOError):
            inside.accept()


@pytest.mark.parametrize(
    "adapter", adapters("openai", "openai-responses", "openrouter"), ids=lambda adapter: adapter.id
)
def test_an_https_url_goes_to_providers_that_fetch_it_themselves(
    easyllm: Easyllm, adapter: Adapter
) -> None:
    with (
        StandIn(script_handler(adapter.script("red"))) as server,
        socket.create_server(("127.0.0.1", 0)) as inside,
    ):
        inside.setblocking(False)
        url = f"https://127.0.0.1:{inside.getsockname()[1]}/x.png"
        profiles = single_profile_toml(
            server, adapter.provider, model=adapter.vision_model, api=adapter.api
        )
        ran = easyllm.run("vision", url, "describe", profiles=profiles)
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert (ran.code, ran.stdout) == (0, b"red\n"), ran.stderr
    assert url in server.requests[-1].body.decode()
