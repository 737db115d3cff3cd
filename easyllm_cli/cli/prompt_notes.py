"""Notes about a prompt: words that are file names, and a large stdin."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.profile import Profile
from ..errors import ConfigError
from .named_files import note_on_files_among
from .request import AnswerRequest
from .stdin import Stdin

MAX_UNNOTED_BYTES = 1_000_000  # a larger stdin is noted if it leaves this machine


def find_prompt_notes(
    request: AnswerRequest, source: Stdin, profiles: Sequence[Profile]
) -> list[str]:
    """Notes about prompt words that are file names, and about a large stdin.

    `profiles`: the profile and its fallbacks, to which the prompt may be sent.
    """
    options = request.input
    note = "" if options.file or options.image else note_on_files_among(request.prompt_words)
    is_noted = source.text_bytes > MAX_UNNOTED_BYTES and any(map(is_elsewhere, profiles))
    return [*([note] if note else []), *([describe_size(source.text_bytes)] if is_noted else [])]


def is_elsewhere(profile: Profile) -> bool:
    """Whether the profile's server is not on this machine, as far as is known."""
    from ..config.endpoints import is_loopback, resolve_endpoint

    try:
        return not is_loopback(resolve_endpoint(profile).url)
    except ConfigError:  # a plugin may have a server of its own
        return True


def describe_size(count: int) -> str:
    """The note about a large stdin."""
    return f"stdin is {format_bytes(count)}: all of it is sent"


def format_bytes(count: int) -> str:
    """A number of bytes as text, e.g. `1.5 MB`."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
