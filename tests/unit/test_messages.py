"""Messages and images: the bytes decide the media type; unknown parts are refused (FAULT-64)."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.errors import UsageError
from easyllm_cli.image_header import sniff_media_type
from easyllm_cli.images import MAX_IMAGE_BYTES, Image
from easyllm_cli.messages import Message, parse_messages
from tests.support.another_user import as_another_user
from tests.support.images import gif_1x1, png

PNG = png(2, 2, (255, 0, 0))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 20
BASE64 = base64.b64encode(PNG).decode()
LARGE = png(9, 9, (1, 2, 3)) + b"\x00" * 2000  # longer than any path


def refused(source: Any, paths: bool = True) -> str:
    with pytest.raises(UsageError) as caught:
        Image.of(source, paths=paths)
    assert caught.value.exit_code == 2
    return str(caught.value)


KINDS = [
    (PNG, "image/png"), (JPEG, "image/jpeg"), (gif_1x1(), "image/gif"), (b"GIF87a", "image/gif"),
    (b"BM\x00\x00", "image/bmp"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"), (b"\x00\x00\x00\x18ftypheic", "image/heic"),
    (b"\x00\x00\x00\x18ftypmif1", "image/heic"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "media_type"), KINDS, ids=repr)
def test_media_type_comes_from_the_bytes(data: bytes, media_type: str, tmp_path: Path) -> None:
    assert sniff_media_type(data) == media_type
    misnamed = tmp_path / "photo.jpg"
    misnamed.write_bytes(data)
    assert Image.of(misnamed).media_type == media_type
    text = base64.b64encode(data).decode()
    mislabelled = Image.of(f"data:image/tiff;base64,{text}")
    assert (mislabelled.media_type, mislabelled.data) == (media_type, data)
    assert mislabelled.as_url() == f"data:{media_type};base64,{text}"


@pytest.mark.parametrize(
    "data", [b"", b"\x89PN", b"<svg/>", b"%PDF-1.7", b"RIFF\x00\x00\x00\x00WAVE", b"hello",
             b"\x00\x00\x00\x18ftypisom", b"\xff\xd8"],
)  # fmt: skip
def test_data_that_is_not_an_image(data: bytes, tmp_path: Path) -> None:
    assert sniff_media_type(data) is None
    assert "not an image" in refused(data)
    (tmp_path / "x.png").write_bytes(data)
    assert "x.png" in refused(tmp_path / "x.png")


@pytest.mark.parametrize("data", [PNG, LARGE], ids=["small", "large"])
def test_image_from_every_source(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a picture"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()
    for source in (data, path, text, f"data:image/png;base64,{text}"):
        assert Image.of(source).data == data
        assert Image.of(source).base64() == text
    assert Image.of(str(path), paths=True).data == data


def test_path_as_text_is_read_only_if_allowed(tmp_path: Path) -> None:
    """The error does not reveal whether the file exists."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    message = refused(str(path), paths=False)
    assert "pathlib.Path" in message
    assert message == refused(str(tmp_path / "b.png"), paths=False).replace("b.png", "a.png")
    for source in ("~/p.png", "a.png", "file:///etc/passwd", "../a.png", "a\0b"):
        refused(source, paths=False)


def test_path_below_home(home: Path) -> None:
    (home / "p.png").write_bytes(PNG)
    assert Image.of("~/p.png", paths=True).data == PNG
    assert Image.of(Path("~/p.png")).data == PNG


def test_https_url_is_passed_on_without_a_download() -> None:
    image = Image.of("https://example.com/a.png")
    assert (image.url, image.data, image.as_url()) == (image.name, b"", image.name)


@pytest.mark.parametrize("url", ["http://h/a.png", "file:///etc/passwd", "gopher://h", "ftp://h/x"])
def test_fault_64_other_urls_are_refused(url: str) -> None:
    assert url.partition(":")[0] in refused(url)


def test_fault_64_paths_of_no_readable_file(tmp_path: Path) -> None:
    assert "no such image file" in refused(tmp_path / "missing.png")
    assert "no such image file" in refused("missing.png")
    assert "not a regular file" in refused(tmp_path)
    assert "not a regular file" in refused("/dev/zero")
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in refused(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot read the image" in refused(tmp_path / "loop")
    assert "not a usable path" in refused("a\0b")
    refused("~no-such-user-here/a.png")
    refused(str(tmp_path / ("x" * 300)))


def test_fault_64_a_huge_file_is_not_read_past_the_cap(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    path.write_bytes(PNG)
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    assert "larger than 20 MB" in refused(path)
    assert "larger than 20 MB" in refused(PNG.ljust(MAX_IMAGE_BYTES + 1))
    assert Image.of(PNG.ljust(MAX_IMAGE_BYTES)).media_type == "image/png"


def test_fault_64_file_grows_or_is_replaced_after_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    real = os.fstat

    def fstat_then_grow(descriptor: int) -> os.stat_result:
        state = real(descriptor)
        os.truncate(path, 1 << 30)
        return state

    path.write_bytes(PNG)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fstat_then_grow)
        assert "larger than 20 MB" in refused(path)
    opened = os.open

    def replace_then_open(*args: Any) -> int:
        path.unlink()
        os.mkfifo(path)
        return opened(*args)

    monkeypatch.setattr(os, "open", replace_then_open)
    assert "not a regular file" in refused(path)


def test_an_unreadable_file() -> None:
    def read_it() -> str:
        path = Path(f"/tmp/easyllm-image-{os.getpid()}")
        path.touch(mode=0o000)
        try:
            return Image.of(path).media_type
        finally:
            path.unlink()

    error = as_another_user(read_it)
    assert error.startswith("UsageError: cannot read the image: Permission denied")


@pytest.mark.parametrize(
    "source", ["data:image/png;base64,@@@", "data:image/png;base64,é", "data:", "data:image/png,",
               "data:image/png;base64,aGVsbG8=", "data:image/png;base64,abc", "é" * 600,
               "@" * 600, "x" * 600, "a/" * 400, "why is this picture " * 40],
)  # fmt: skip
def test_text_that_is_not_an_image_gives_a_short_error(source: str) -> None:
    assert len(refused(source)) < 400


def test_message_in_openai_format() -> None:
    url = f"data:image/png;base64,{BASE64}"
    message = Message.of(
        {
            "role": "user",
            "content": [
                "a",
                {"type": "text", "text": "b"},
                {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
                {"type": "image_url", "image_url": "https://h/x.png"},
            ],
        }
    )
    assert message.text == "ab"
    assert [image.media_type for image in message.images] == ["image/png", ""]
    assert [image.as_url() for image in message.images] == [url, "https://h/x.png"]
    assert Message.of({"role": "system", "content": ""}) == Message("system", ("",))
    assert Message.of(message) is message


ODD_PARTS: list[Any] = [
    5, None, {}, {"type": "input_audio"}, {"type": "text"}, {"type": "text", "text": 5},
    {"type": "image_url"}, {"type": "image_url", "image_url": {"url": "http://h/x.png"}},
    {"type": "image_url", "image_url": {"url": "/etc/passwd"}}, {"type": ["text"]}, ["text"],
    {"type": "image_url", "image_url": {"url": None}}, {"text": "no type"},
]  # fmt: skip


@pytest.mark.parametrize("part", ODD_PARTS, ids=str)
def test_an_unknown_part_is_an_error_and_never_dropped(part: Any) -> None:
    with pytest.raises(UsageError):
        Message.of({"role": "user", "content": ["text", part]})


ODD_MESSAGES: list[Any] = [
    "text", 5, None, [], {}, {"role": "user"}, {"role": "user", "content": None},
    {"role": "tool", "content": "x"}, {"role": ["user"], "content": "x"}, {"content": "x"},
    {"role": "user", "content": {"type": "text", "text": "x"}}, {"role": "user", "content": 5},
]  # fmt: skip


@pytest.mark.parametrize("message", ODD_MESSAGES, ids=str)
def test_invalid_message(message: Any) -> None:
    with pytest.raises(UsageError):
        parse_messages([message])


def test_no_message_at_all() -> None:
    with pytest.raises(UsageError, match="no message"):
        parse_messages([])
    with pytest.raises(UsageError):
        parse_messages("text")  # type: ignore[arg-type]
