"""Whether a recording of --replay holds a candidate's answer; imported only for a replay.

A replay chooses by what was recorded: keys, prices and the history may be others there.
"""

from __future__ import annotations

from ..config.profile import Profile
from ..errors import EasyLLMError
from ..messages import Message, with_system_prompt
from ..pipeline.request_identity import identify_request
from ..pipeline.think_prompt import apply_think_prompt
from ..providers import provider_for
from ..recordings.file import Recording


def is_recorded(recording: Recording, profile: Profile, messages: list[Message]) -> bool:
    """Whether the request that the profile would send is recorded, with or without a prompt to
    think.

    Raises:
        UsageError: the recording cannot be read. ConfigError: it holds something else.
    """
    messages = with_system_prompt(messages, profile.system)
    try:
        source = provider_for(profile).per_answer_copy()
        keys = [identify_request(source, messages).replay_key]
        if profile.elicit:
            asked = apply_think_prompt(source, messages)
            keys.append(identify_request(source, asked).replay_key)
    except EasyLLMError:  # such a request is never sent
        return False
    return any(map(recording.has, keys))
