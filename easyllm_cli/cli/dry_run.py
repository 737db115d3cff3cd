"""--dry-run: prints the request that would be sent, without network and without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.profile import Profile
from ..errors import UsageError
from ..messages import Message
from ..pipeline.think_prompt import apply_think_prompt
from ..providers import provider_for
from ..providers.http import HTTPProvider
from ..providers.plugin_errors import name_plugin_in_errors
from ..render.json import print_json
from ..render.output import print_notice
from .request import AnswerRequest

if TYPE_CHECKING:
    from ..routing import Route


def dry_run(
    profile: Profile,
    messages: list[Message],
    request: AnswerRequest,
    notes: list[str],
    route: Route | None = None,
) -> int:
    """Print the request that would be sent, with keys as ***; needs no network and no key.

    `route`: how an auto profile chose the profile. It is part of the object; with --explain its
    table is all that is printed.
    """
    if route is not None and request.run.explain and not request.common.json:
        from .auto_choice import print_route

        print_route(route, 1)
        return 0
    provider = provider_for(profile)
    if profile.elicit == "always":
        messages = apply_think_prompt(provider, messages)
    if not isinstance(provider, HTTPProvider):
        raise UsageError(f"--dry-run cannot show what {profile.provider} sends")
    with name_plugin_in_errors(provider.entry_point):
        http_request = provider.dry_request(messages, stream=request.run.stream is not False)
    for note in [] if request.common.quiet else notes:
        print_notice(f"easyllm: {note}")
    headers = {name: str(value) for name, value in http_request.headers.items()}
    print_json(
        {
            "method": http_request.method,
            "url": http_request.url or None,  # null for a model that runs in this process
            "headers": headers,
            "body": http_request.body,
            **({"route": route.to_json()} if route is not None else {}),
        }
    )
    return 0
