"""Refuses tools, options and message fields that cannot be sent, and notes ignored settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..config.endpoints import resolve_adapter
from ..config.profile import Profile
from ..config.settings import settings_without_effect
from ..errors import ConfigError, UsageError
from ..message_fields import tools_unsupported_error
from ..messages import CachedText, Message
from ..vendors import get_vendor

# Types of tools that the client has to run. Tools of other types (web_search, code_interpreter,
# file_search, …) are run by the provider, and the answer is plain text.
CLIENT_TOOL_TYPES = ("function", "custom", "builtin_function", "local_shell", "apply_patch")
CLIENT_TOOL_TYPE_PREFIXES = ("computer", "bash_", "text_editor_", "memory_")
# The same for tools without `type`: Gemini uses keys instead.
CLIENT_TOOL_KEYS = (
    "function", "functionDeclarations", "function_declarations", "computerUse", "computer_use",
    "input_schema", "parameters",
)  # fmt: skip


def refuse_unsupported_options(options: Mapping[str, Any]) -> None:
    """Refuse options that would change the response into one that the decoder cannot read.

    Raises:
        UsageError: the options offer tools that the client has to run.
        ConfigError: the options contain `stream`.
    """
    if not options:
        return
    if "stream" in options:
        raise ConfigError(
            "stream does not belong in the options",
            code="options",
            hint="leave it out: chat() does not stream, chat_stream() and stream() do (on the "
            "command line: --no-stream, --stream)",
        )
    extra = options.get("extra_body")
    for table in (options, extra if isinstance(extra, Mapping) else {}):
        if _offers_tools(table):
            raise tools_unsupported_error()


def _offers_tools(options: Mapping[str, Any]) -> bool:
    """Whether the options offer a tool that the client has to run."""
    if options.get("functions"):
        return options.get("function_call") != "none"
    choice, tools = options.get("tool_choice"), options.get("tools")
    if choice == "none" or _is_tool_calling_off(options.get("toolConfig")):
        return False
    if isinstance(choice, Mapping) and choice.get("type") in CLIENT_TOOL_TYPES:
        return True
    if tools:
        return any(map(_is_client_tool, tools if isinstance(tools, list) else [tools]))
    return bool(choice) or options.get("function_call") not in (None, "", "none")


def _is_client_tool(tool: Any) -> bool:
    """Whether the client has to run the tool."""
    if not isinstance(tool, Mapping):
        return False  # malformed: the server reports it
    kind = tool.get("type")
    if isinstance(kind, str):
        return kind in CLIENT_TOOL_TYPES or kind.startswith(CLIENT_TOOL_TYPE_PREFIXES)
    return any(tool.get(key) for key in CLIENT_TOOL_KEYS)


def _is_tool_calling_off(settings: Any) -> bool:
    """Whether Gemini's toolConfig forbids tool calls."""
    config = settings.get("functionCallingConfig") if isinstance(settings, Mapping) else None
    return isinstance(config, Mapping) and config.get("mode") == "NONE"


def refuse_unsupported_fields(
    messages: list[Message], supported: Collection[str], provider: str
) -> None:
    """Raise UsageError for message fields that the adapter does not support."""
    for message in messages:
        for name in _used_fields(message):
            if name not in supported:
                raise UsageError(
                    f"{provider} does not support {name} in a message", hint="leave it out"
                )


def refuse_system_images(messages: list[Message], provider: str) -> None:
    """Raise UsageError for an image in a system message."""
    if any(message.images for message in messages if message.role in ("system", "developer")):
        raise UsageError(
            f"{provider} takes no image in a system message",
            hint="put it into a user message",
        )


def _used_fields(message: Message) -> Iterator[str]:
    """The optional fields that the message and its parts use."""
    yield from message.fields
    for part in message.parts:
        if isinstance(part, CachedText):
            yield "cache_control"
        elif not isinstance(part, str):
            yield from ("cache_control",) if part.cache_control else ()
            # `auto` is the default, also of providers without this field.
            yield from ("detail",) if part.detail not in ("", "auto") else ()


def ignored_settings_note(profile: Profile, ignored: Collection[str]) -> str:
    """A note that names the profile's settings without effect; "" = none.

    Those are the settings for other adapters (`adapters` of config/settings.py), and `ignored`:
    others that the provider does not support.
    """
    adapter = resolve_adapter(profile)
    names = dict.fromkeys([*settings_without_effect(adapter), *ignored])
    unsupported = [key for key in names if getattr(profile, key) not in (None, "", [])]
    if not unsupported:
        return ""
    noun = "setting" if len(unsupported) == 1 else "settings"
    is_usual = adapter == get_vendor(profile.provider).adapter
    api = "" if is_usual else f' with api = "{profile.api}"'
    return f"{profile.provider}{api} has no {noun} {', '.join(unsupported)}: left out"


def library_warnings(profile: Profile, follows_fallback: bool = False) -> list[str]:
    """Warnings about settings that name other profiles and have no effect here.

    `follows_fallback`: the caller asks the profiles that `fallback` names; a provider does not.
    """
    warnings = []
    if profile.extends and profile.profiles_path is None:  # in a profiles file it had its effect
        warnings.append(
            "extends has an effect only in a profiles file: use load_profile(name) and change its "
            "settings with dataclasses.replace"
        )
    if profile.fallback and not follows_fallback:
        warnings.append("fallback does nothing in a provider: ask through LLMService")
    return warnings
