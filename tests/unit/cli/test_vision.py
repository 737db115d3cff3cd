"""`vision` prints the image's name, format, pixels and size, read from its header."""

import struct
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from easyllm_cli.cli.commands.vision import describe_image
from easyllm_cli.cli.prompt_notes import format_bytes
from easyllm_cli.image_header import read_dimensions
from easyllm_cli.images import Image
from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.images import png
from tests.support.servers.fixtures import RealServer
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import run_on_terminals


def riff(form: bytes, data: bytes) -> bytes:
    body = b"WEBP" + form + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


# A JPEG with everything that may precede its frame header: an EXIF thumbnail with a frame header
# of its own, a Huffman table (C4, not a frame), fill bytes and a marker without a length.
FRAME = segment(0xC2, struct.pack(">BHHB", 8, 480, 640, 3))
THUMB = segment(0xE1, b"Exif\0\0\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, 9, 9, 3)))
JPEG = b"\xff\xd8" + THUMB + segment(0xC4, bytes(9)) + b"\xff\xff" + b"\xff\x01" + FRAME
PICTURES = {
    "PNG": (png(32, 7, (1, 2, 3)), (32, 7)),
    "GIF": (b"GIF89a" + struct.pack("<HH", 300, 2) + bytes(9), (300, 2)),
    "BMP": (b"BM" + bytes(16) + struct.pack("<ii", 20, 30) + bytes(9), (20, 30)),
    "BMP from the top": (b"BM" + bytes(16) + struct.pack("<ii", 20, -30) + bytes(9), (20, 30)),
    "JPEG": (JPEG, (640, 480)),
    "WEBP lossy": (riff(b"VP8 ", b"\x10\x20\x30\x9d\x01\x2a\x80\x02\xe0\x41"), (640, 480)),
    "WEBP lossless": (riff(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)), (640, 480)),
    "WEBP extended": (riff(b"VP8X", bytes(4) + b"\x7f\x02\x00\xdf\x01\x00"), (640, 480)),
    "HEIC": (
        b"\0\0\0\x18ftypheic" + bytes(40) + b"ispe\0\0\0\0" + struct.pack(">II", 512, 512)
        + b"....ispe\0\0\0\0" + struct.pack(">II", 4032, 3024),
        (4032, 3024),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_dimensions_and_description(name: str) -> None:
    data, size = PICTURES[name]
    assert read_dimensions(data) == size
    kind = name.split()[0]
    line = describe_image(Image.of_bytes(data, "a.jpg"))
    assert line == f"a.jpg: {kind}, {size[0]} × {size[1]}, {len(data)} bytes"


@pytest.mark.parametrize("name", PICTURES)
def test_truncated_header(name: str) -> None:
    """A truncated file gives the right dimensions or none, and nothing raises."""
    data, size = PICTURES[name]
    for end in range(len(data)):
        tiles = [(512, 512)] if name == "HEIC" else []
        assert read_dimensions(data[:end]) in [None, size, *tiles]


@settings(deadline=None)
@given(st.sampled_from([data for data, _ in PICTURES.values()]), st.binary(max_size=60))
@example(PICTURES["PNG"][0], bytes(4))  # height 0
def test_any_bytes_after_a_valid_beginning(data: bytes, more: bytes) -> None:
    for length in (12, 20):
        size = read_dimensions(data[:length] + more)
        assert size is None or (len(size) == 2 and min(size) > 0)


def test_endless_segments() -> None:
    """A segment of length 0 does not make the reader loop for ever."""
    assert read_dimensions(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 1000) is None


def test_format_bytes() -> None:
    assert [format_bytes(count) for count in (0, 999, 1000, 20_500, 999_999, 1_500_000)] == [
        "0 bytes", "999 bytes", "1.0 kB", "20.5 kB", "1000.0 kB", "1.5 MB",
    ]  # fmt: skip


def test_url_is_printed_unchanged() -> None:
    assert describe_image(Image.of("https://a.example/b.png")) == "https://a.example/b.png"


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_vision_describes_the_image_above_the_answer(easyllm: Easyllm, eyes: RealServer) -> None:
    (easyllm.home / "red.png").write_bytes(png(32, 32, (255, 0, 0)))
    profiles = single_profile_toml(f"{eyes.url}/v1", "llamacpp", model=eyes.model)
    code, out, err = run_on_terminals(
        easyllm, "vision", "red.png", "What color is this?", profiles=profiles
    )
    assert code == 0
    assert "red" in out
    assert err.startswith("red.png: PNG, 32 × 32, ")


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
@pytest.mark.parametrize(
    ("args", "terminals"), [(("-q",), "12"), (("--json",), "12"), ((), "1"), ((), "")]
)
def test_no_description_when_quiet_or_not_on_terminals(
    easyllm: Easyllm, args: tuple[str, ...], terminals: str
) -> None:
    (easyllm.home / "evil\x1b[2J.png").write_bytes(png(2, 2, (0, 0, 0)))
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        command = ("vision", *args, "evil\x1b[2J.png", "hi")
        _, _, err = run_on_terminals(
            easyllm, *command, profiles=single_profile_toml(server), terminals=terminals
        )
    assert "PNG" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_control_codes_in_a_file_name_are_escaped(easyllm: Easyllm) -> None:
    (easyllm.home / "evil\x1b[2J.png").write_bytes(png(2, 2, (0, 0, 0)))
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        command = ("vision", "evil\x1b[2J.png", "hi")
        _, _, err = run_on_terminals(easyllm, *command, profiles=single_profile_toml(server))
    assert err.startswith("evil␛[2J.png: PNG, 2 × 2")
