"""What a command that lists or looks prints with --json where it failed and found nothing."""

from typing import Any

# command, and the command under it: its own keys of the object
EMPTY: dict[tuple[str, ...], dict[str, Any]] = {
    ("models",): {"models": []},
    ("profiles",): {"profiles": []},
    ("profiles", "show"): {"profile": None, "values": []},
    ("profiles", "path"): {"path": None, "exists": False},
    ("keys",): {"keys": []},
    ("doctor",): {"profile": None, "checks": []},
}


def empty(arguments: list[str]) -> dict[str, Any] | None:
    """The keys for this command line; None = the command gives an answer."""
    both = EMPTY.get(tuple(arguments[:2]))
    return both if both is not None else EMPTY.get(tuple(arguments[:1]))
