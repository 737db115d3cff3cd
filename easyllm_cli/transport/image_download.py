"""Downloads an image URL safely, for providers that accept only image bytes.

The URL may be untrusted, so: https only, no private address at any redirect, 20 MB, 30 seconds.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from ..config.profile import Profile
from ..errors import BusyError, EasyLLMError, NetworkError, RefusedError, UsageError
from ..images import MAX_IMAGE_BYTES, Image
from .base import Request
from .http import HTTPTransport
from .timeouts import ResponseTimer, timeout_with_grace

# Networks whose last 32 bits are the IPv4 address that is really reached: IPv4-mapped (RFC 4291
# §2.5.5.2), IPv4-compatible (§2.5.5.1) and the well-known prefix of NAT64 (RFC 6052).
IPV4_EMBEDDING_NETWORKS = (
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("::/96"),
    IPv6Network("64:ff9b::/96"),
)
# Local-use NAT64 (RFC 8215) and Teredo (RFC 4380) do not show which address is reached;
# fec0::/10 is site-local (RFC 3879).
BLOCKED_NETWORKS = (
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),
    IPv6Network("fec0::/10"),
)


def is_public_address(text: str) -> bool:
    """Return whether an IP address from a name lookup belongs to the public internet."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if any(address in network for network in BLOCKED_NETWORKS):
            return False
        address = _embedded_ipv4(address)
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address embedded in an IPv6 address, else the address itself."""
    if any(address in network for network in IPV4_EMBEDDING_NETWORKS):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address


DOWNLOAD_TIMEOUT_SECONDS = 30.0  # for one image, with its redirects and name lookups
MAX_REDIRECTS = 5
MANUAL_DOWNLOAD_HINT = "download the image and give the file's path"


async def download_image(image: Image, profile: Profile) -> Image:
    """Return the image with its bytes; an image without a URL is returned unchanged.

    `profile`: its proxy and ca_bundle are used; its key and headers are not sent.
    Raises:
        UsageError: not https, a private address, over 20 MB, not an image, or refused by its
            server.
        NetworkError: the server cannot be reached, or the download takes over 30 seconds.
        BusyError: the server is busy.
    """
    if not image.url:
        return image
    try:
        async with timeout_with_grace(DOWNLOAD_TIMEOUT_SECONDS):
            downloaded = Image.of_bytes(await _follow_redirects(image.url, profile), image.url)
            return replace(downloaded, detail=image.detail, cache_control=image.cache_control)
    except TimeoutError:
        message = f"the image did not arrive within {DOWNLOAD_TIMEOUT_SECONDS:g} s"
        raise NetworkError(
            message, where=image.url[:80], hint=MANUAL_DOWNLOAD_HINT, retryable=False
        ) from None
    except (UsageError, NetworkError, BusyError) as error:
        error.where = error.where or image.url[:80]
        error.code = None  # it describes the image's server; callers expect the model's
        error.hint = error.hint or MANUAL_DOWNLOAD_HINT
        raise
    except EasyLLMError as error:
        reason = f"HTTP {error.status}, {error.message}" if error.status else error.message
        raise UsageError(
            f"the image cannot be downloaded: {reason}",
            where=image.url[:80],
            hint=MANUAL_DOWNLOAD_HINT,
        ) from error


async def _follow_redirects(url: str, profile: Profile) -> bytes:
    """Follow the redirects and return the body, at most MAX_IMAGE_BYTES + 1 bytes."""
    for _ in range(MAX_REDIRECTS):
        try:
            return await _download_from_addresses(await resolve_public_addresses(url), url, profile)
        except RefusedError as error:
            if error.location is None:
                raise
            url = _resolve_location(url, error.location)
    raise UsageError(f"more than {MAX_REDIRECTS} redirects")


def _resolve_location(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location  # not a URL: _parse_https_url will report it


async def _download_from_addresses(addresses: list[str], url: str, profile: Profile) -> bytes:
    """Download one URL from the first address that accepts a connection."""
    client = HTTPTransport(profile, url)
    try:
        for number, address in enumerate(addresses, 1):
            # These limits never come first: download_image has a shorter one.
            timer = ResponseTimer(2 * DOWNLOAD_TIMEOUT_SECONDS, 2 * DOWNLOAD_TIMEOUT_SECONDS)
            try:
                async with client.open(
                    Request("GET", url, resolved_address=address), timer
                ) as response:
                    return await response.read_body(MAX_IMAGE_BYTES + 1)
            except NetworkError as error:
                if error.code not in {"refused", "connect"} or number == len(addresses):
                    raise
    finally:
        await client.aclose()
    raise UsageError(f"no such host: {urlsplit(url).hostname}")


async def resolve_public_addresses(url: str) -> list[str]:
    """Look up the host's IP addresses and check that all of them are public.

    The caller must connect to one of these addresses: a second lookup of the name could give a
    private one.
    Raises:
        UsageError: not https, no such host, or an address that is private, loopback or link-local.
    """
    parts = _parse_https_url(url)
    loop = asyncio.get_running_loop()
    host = str(parts.hostname)
    try:
        address_infos = await loop.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # ValueError: IDNA cannot encode the name
        raise UsageError(f"no such host: {host}", where=url[:80]) from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in address_infos))
    if not all(map(is_public_address, addresses)):
        raise UsageError(
            f"{host} is an address in a private network", where=url[:80], hint=MANUAL_DOWNLOAD_HINT
        )
    return addresses


def _parse_https_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UsageError("the image URL is not valid", where=url[:80]) from None
    if parts.scheme != "https" or not parts.hostname:
        raise UsageError("an image is downloaded over https:// only", where=url[:80])
    if parts.username is not None or parts.password is not None:
        url_without_login = url.rpartition("@")[2][:80]
        raise UsageError("the image URL contains a user name or password", where=url_without_login)
    return parts
