"""Numbers of bytes as people read them."""


def format_bytes(count: int) -> str:
    """A number of bytes as text, e.g. `1.5 MB`."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
