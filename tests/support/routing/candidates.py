"""Auto profiles and candidates for tests, without a profiles file."""

from collections.abc import Sequence
from typing import Any

from easyllm_cli.config.profile import Profile
from easyllm_cli.messages import Message
from easyllm_cli.routing import Route, choose_route


def candidate(name: str, provider: str = "ollama", **settings: Any) -> Profile:
    """A candidate; without other settings a free local one that needs no key."""
    values = {"provider": provider, "model": f"model-of-{name}", **settings}
    return Profile.of(
        {key: value for key, value in values.items() if value is not None}
    ).replace_set(name=name)


def auto_profile(*candidates: Profile, **settings: Any) -> Profile:
    """An auto profile named `auto` of these candidates."""
    names = [each.name for each in candidates]
    return Profile.of({"provider": "auto", "candidates": names, **settings})


def question(text: str = "hi", *images: Any) -> list[Message]:
    return [Message("user", (text, *images))]


def choose(
    candidates: Sequence[Profile],
    messages: Sequence[Message] | None = None,
    *,
    kept: tuple[str, str | None] | None = None,
    **settings: Any,
) -> Route:
    """Choose among the candidates of an auto profile with these settings."""
    auto = auto_profile(*candidates, **settings)
    return choose_route(auto, candidates, messages or question(), kept=kept)


def table(route: Route) -> dict[str, str]:
    """Why each candidate is asked or not, by name, in the order of the route."""
    return {row["profile"]: row["why"] for row in route.to_json()["table"]}
