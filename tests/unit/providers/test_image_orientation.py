"""A photo with rotated pixels (EXIF orientation) is sent unchanged, with a note."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.events import Note
from easyllm_cli.image_header import read_orientation
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from easyllm_cli.providers.image_inputs import with_image_bytes
from easyllm_cli.transport import image_download
from tests.support.adapters import ADAPTERS, Adapter
from tests.support.asking import open_provider
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.image_files import HEIC, exif, jpeg, png_with, webp_with
from tests.support.image_site import serve_image_site
from tests.support.images import gif_1x1, png
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "jpeg": jpeg,
    "png": png_with,
    "webp": webp_with,
    "webp, as some write it": lambda tiff: webp_with(b"Exif\0\0" + tiff),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4], ids=["short", "long"])
def test_orientation(form: str, order: str, kind: int) -> None:
    for number in range(1, 9):
        assert read_orientation(FORMS[form](exif(number, order, kind))) == number
    for number in (0, 9, 300):
        assert read_orientation(FORMS[form](exif(number, order, kind))) == 1


@pytest.mark.parametrize(
    "data",
    [
        jpeg(), png(2, 2, (1, 2, 3)), gif_1x1(), webp_with(b""), b"BM" + bytes(60), b"",
        HEIC + b"Exif\0\0" + exif(6),
        jpeg()[:-2] + jpeg(exif(6)),  # after the image data: belongs to another image
        jpeg(b"MM\0*" + struct.pack(">I", 0xFFFFFFFF)),
        jpeg(b"MM\0*\0\0\0\x08\xff\xff"),
        jpeg(b"no TIFF"),
    ],
    ids=range(11),
)  # fmt: skip
def test_no_orientation(data: bytes) -> None:
    assert read_orientation(data) == 1


@given(st.sampled_from(sorted(FORMS)), st.data())
def test_damaged_file_has_a_valid_orientation(form: str, data: st.DataObject) -> None:
    whole = bytearray(FORMS[form](exif(6)))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert 1 <= read_orientation(bytes(whole[: data.draw(st.integers(0, len(whole)))])) <= 8


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
def test_note_with_every_protocol(easyllm: Easyllm, adapter: Adapter) -> None:
    """The photo's bytes are sent unchanged."""
    photo = jpeg(exif(6))
    (easyllm.home / "photo.jpg").write_bytes(photo)
    with StandIn(script_handler(adapter.script("red"))) as server:
        keys = {"model": adapter.vision_model, "api": adapter.api, "transport": adapter.transport}
        profiles = single_profile_toml(server, adapter.provider, **keys)
        ran = easyllm.run("vision", "photo.jpg", "describe", profiles=profiles)
        (sent,) = adapter.wire.images(server.requests[-1].json)
    assert (ran.code, ran.stdout, sent[1]) == (0, b"red\n", photo), ran.stderr
    assert ran.stderr == (
        "easyllm: photo.jpg is stored on its side (EXIF orientation 6), and some models see it "
        "that way: rotate it first, e.g. magick IN -auto-orient OUT\n"
    )


def test_note_appears_once_despite_a_retry(easyllm: Easyllm) -> None:
    (easyllm.home / "photo.jpg").write_bytes(jpeg(exif(6)))
    adapter = ADAPTERS[0]
    with StandIn(script_handler(adapter.refusal(503, "busy"), adapter.script("red"))) as server:
        ran = easyllm.run("vision", "photo.jpg", "describe", profiles=single_profile_toml(server))
        assert (ran.code, len(server.requests)) == (0, 2)
    assert ran.stderr.count("EXIF") == 1


@pytest.mark.parametrize("args", [("chat", "-a", "photo.png"), ("cot", "-a", "photo.png")])
def test_note_in_other_commands(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    (easyllm.home / "photo.png").write_bytes(png_with(exif(3)))
    adapter = ADAPTERS[0]
    with StandIn(script_handler(adapter.script("red"))) as server:
        ran = easyllm.run(*args, "--json", "hi", profiles=single_profile_toml(server))
        (note,) = ran.json["notes"]
        assert "photo.png is stored upside down (EXIF orientation 3)" in note
        assert easyllm.run(*args, "-q", "hi", profiles=single_profile_toml(server)).stderr == ""


async def test_note_in_the_library() -> None:
    adapter = ADAPTERS[0]
    messages = [Message("user", ("hi", Image.of_bytes(jpeg(exif(8)), "image data")))]
    with StandIn(script_handler(adapter.script("red"))) as server:
        async with open_provider(adapter.profile(server)) as provider:
            notes = [
                event.text async for event in provider.stream(messages) if isinstance(event, Note)
            ]
    assert ["EXIF orientation 8" in note for note in notes] == [True]


async def test_note_for_a_downloaded_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(url: str) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(image_download, "resolve_public_addresses", resolve)
    with serve_image_site(tmp_path) as site:
        photo = Image.of(f"{site.url}/photo.jpg")
        kinds = ("image/jpeg",)
        messages = [Message("user", (photo, Image.of_bytes(jpeg(exif(6)), "mine")))]
        _, notes = await with_image_bytes(messages, kinds, site.profile, "Ollama")
    assert len(notes) == 1, "the image in the message was noted before"
    assert notes[0].startswith(f"{site.url}/photo.jpg is stored on its side")
