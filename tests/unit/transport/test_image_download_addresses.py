"""Addresses of image downloads: only public ones, and only those that were checked."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import NetworkError, UsageError
from easyllm_cli.images import Image
from easyllm_cli.transport import image_download
from easyllm_cli.transport.image_download import is_public_address
from tests.support.image_site import RED, serve_image_site

PRIVATE = [
    "127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "192.168.0.1",
    "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "0.0.0.0", "[::]", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1]",
    "[fc00::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::8.8.8.8]",
    "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "①②⑦.⓪.⓪.①",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
async def test_fault_64_private_addresses_are_never_asked(host: str) -> None:
    with pytest.raises(UsageError, match="private network"):
        await image_download.download_image(Image.of(f"https://{host}:9/x.png"), Profile())


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"],
)
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


@dataclass
class Lookups:
    """A fake name service: one answer for each lookup in turn; the last one repeats."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        addresses = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]


@pytest.fixture
def second_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.2 and 127.0.0.3 count as public addresses; 127.0.0.1 does not."""
    monkeypatch.setattr(
        image_download, "is_public_address", lambda address: address in ("127.0.0.2", "127.0.0.3")
    )


async def test_fault_64_a_name_that_turns_private_is_not_followed(
    tmp_path: Path, second_is_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    names = Lookups([["127.0.0.2"], ["127.0.0.1"]])
    with serve_image_site(tmp_path, "127.0.0.2", "pictures.example") as site:
        port = int(site.url.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)) as inside:
            inside.setblocking(False)
            monkeypatch.setattr(socket, "getaddrinfo", names)
            image = await image_download.download_image(
                Image.of(site.url + "/red.png"), site.profile
            )
            with pytest.raises(BlockingIOError):
                inside.accept()
    assert image.data == RED
    assert names.asked.count("pictures.example") == 1
    assert [headers["host"] for _, headers in site.asked] == [f"pictures.example:{port}"]


async def test_fault_64_one_private_address_among_public_ones(
    second_is_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Lookups([["127.0.0.2", "127.0.0.1"]]))
    with pytest.raises(UsageError, match="private network"):
        await image_download.download_image(Image.of("https://pictures.example:9/x.png"), Profile())


async def test_next_address_is_tried_if_one_does_not_answer(
    tmp_path: Path, second_is_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Lookups([["127.0.0.3", "127.0.0.2"]]))
    with serve_image_site(tmp_path, "127.0.0.2", "pictures.example") as site:
        image = await image_download.download_image(Image.of(site.url + "/red.png"), site.profile)
    assert image.data == RED


async def test_a_site_where_nothing_listens(
    second_is_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Lookups([["127.0.0.3"]]))
    with pytest.raises(NetworkError, match="nothing listens") as caught:
        await image_download.download_image(Image.of("https://pictures.example:9/x.png"), Profile())
    assert caught.value.code is None, "that code speaks of the model's server"
    assert caught.value.where
