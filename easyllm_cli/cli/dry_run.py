"""--dry-run: prints the request that would be sent, without network and without a key."""

from __future__ import annotations

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


def dry_run(
    profile: Profile, messages: list[Message], request: AnswerRequest, notes: list[str]
) -> int:
    """Print the request that would be sent, with keys as ***; needs no network and no key."""
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
        }
    )
    return 0
