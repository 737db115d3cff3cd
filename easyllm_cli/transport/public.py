"""Which addresses belong to the public internet: what is fetched may come from nowhere else."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Where the last 32 bits are an IPv4 address that is reached in the end: IPv4-mapped (RFC 4291
# §2.5.5.2), IPv4-compatible (§2.5.5.1) and the well-known prefix of NAT64 (RFC 6052).
HOLDS_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("::/96"), IPv6Network("64:ff9b::/96"))
# NAT64 of somebody's own (RFC 8215) and Teredo (RFC 4380): who is reached cannot be told.
NEVER = (IPv6Network("64:ff9b:1::/48"), IPv6Network("2001::/32"), IPv6Network("fec0::/10"))


def is_public(text: str) -> bool:
    """Whether an address, as a name lookup gives it, is one of the public internet's."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if any(address in network for network in NEVER):
            return False
        address = _inner(address)
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _inner(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if any(address in network for network in HOLDS_IPV4):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address
