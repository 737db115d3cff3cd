"""Fetches a picture for providers that take bytes only; guarded, since the URL may be anybody's.

FAULTS §5.7: https only, no address of a private network at any hop, 20 MB, 30 seconds.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from ..errors import RefusedError, UsageError
from ..messages import MAX_IMAGE_BYTES, Image
from ..profiles import Profile
from .carrier import Request
from .client import Client
from .patience import Patience

FETCH_SECONDS = 30.0
MAX_HOPS = 5


async def fetched(image: Image, profile: Profile) -> Image:
    """The picture with its bytes; one that has them is given back as it is.

    `profile`: its proxy and ca_bundle are used, its key and headers are not sent.
    Raises:
        UsageError: not https, a private address, too large, or no picture.
        NetworkError: it cannot be reached.
    """
    if not image.url:
        return image
    url = image.url
    patience = Patience(FETCH_SECONDS, FETCH_SECONDS, FETCH_SECONDS)
    for _ in range(MAX_HOPS):
        await refuse_private(url)
        client = Client(profile, url)
        try:
            async with client.open(Request("GET", url), patience) as answer:
                return Image.of_bytes(await answer.body(MAX_IMAGE_BYTES + 1), image.url)
        except RefusedError as error:
            if error.location is None:
                raise
            url = urljoin(url, error.location)
        finally:
            await client.aclose()
    raise UsageError(f"more than {MAX_HOPS} redirects", where=image.url)


async def refuse_private(url: str) -> None:
    """Look the host up; every address it has must be a public one.

    Raises:
        UsageError: not https, or a private, loopback or link-local address.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise UsageError("a picture is fetched over https:// only", where=url[:80])
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise UsageError(f"no such host: {parts.hostname}", where=url[:80]) from None
    for *_, address in found:
        if not ip_address(address[0]).is_global:
            raise UsageError(
                f"{parts.hostname} is an address of a private network",
                where=url[:80],
                hint="download the picture and name the file",
            )
