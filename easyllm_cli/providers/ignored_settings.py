"""What an adapter cannot send is refused or told, before anything is sent and never in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..config.profile import Profile
from ..errors import ConfigError, UsageError
from ..message_fields import tools_unsupported_error
from ..messages import CachedText, Message

# Kinds of tools that the model calls and somebody here would have to run. What has another name
# (web_search, code_interpreter, file_search, …) is run by the provider: the answer is a plain one.
CLIENT_TOOL_TYPES = ("function", "custom", "builtin_function", "local_shell", "apply_patch")
CLIENT_TOOL_TYPE_PREFIXES = ("computer", "bash_", "text_editor_", "memory_")
# The same where a tool has no `type`: Gemini's kinds are keys.
CLIENT_TOOL_KEYS = (
    "function", "functionDeclarations", "function_declarations", "computerUse", "computer_use",
    "input_schema", "parameters",
)  # fmt: skip


def refuse_unsupported_options(options: Mapping[str, Any]) -> None:
    """Raise for options that would change what comes back into something that nobody reads.

    Raises:
        UsageError: tools that the model calls. ConfigError: `stream`.
    """
    if "stream" in options:
        raise ConfigError(
            "stream does not belong in the options",
            code="options",
            hint="leave it out: chat() asks for a whole answer, chat_stream() and stream() for a "
            "growing one (on the command line --no-stream, --stream)",
        )
    extra = options.get("extra_body")
    for table in (options, extra if isinstance(extra, Mapping) else {}):
        if _offers_tools(table):
            raise tools_unsupported_error()


def _offers_tools(options: Mapping[str, Any]) -> bool:
    """Whether the model may call a tool that somebody here would have to run."""
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
    """Whether it is no tool that the provider runs by itself."""
    if not isinstance(tool, Mapping):
        return False  # the server tells what is wrong with it
    kind = tool.get("type")
    if isinstance(kind, str):
        return kind in CLIENT_TOOL_TYPES or kind.startswith(CLIENT_TOOL_TYPE_PREFIXES)
    return any(tool.get(key) for key in CLIENT_TOOL_KEYS)


def _is_tool_calling_off(settings: Any) -> bool:
    """Whether Gemini's toolConfig forbids calls."""
    calling = settings.get("functionCallingConfig") if isinstance(settings, Mapping) else None
    return isinstance(calling, Mapping) and calling.get("mode") == "NONE"


def refuse_unsupported_fields(
    messages: list[Message], supported: Collection[str], provider: str
) -> None:
    """Raise UsageError for what a message says, and a protocol has no place for."""
    for message in messages:
        for name in _used_fields(message):
            if name not in supported:
                raise UsageError(
                    f"{provider} has no place for {name} of a message", hint="leave it out"
                )


def _used_fields(message: Message) -> Iterator[str]:
    yield from message.fields
    for part in message.parts:
        if isinstance(part, CachedText):
            yield "cache_control"
        elif not isinstance(part, str):
            yield from ("cache_control",) if part.cache_control else ()
            # `auto` is what a provider does that has no such field, too.
            yield from ("detail",) if part.detail not in ("", "auto") else ()


def ignored_settings_note(profile: Profile, ignored: Collection[str]) -> str:
    """Which of the profile's settings its provider does not know, for a note; "" = none."""
    named = [key for key in ignored if getattr(profile, key) not in (None, "", [])]
    if not named:
        return ""
    what = "setting" if len(named) == 1 else "settings"
    return f"{profile.provider} has no {what} {', '.join(named)}: left out"


def library_warnings(profile: Profile, has_fallbacks: bool = False) -> list[str]:
    """What a profile names in a file of profiles, which a library does not read.

    `falls_back`: other configurations were given beside it.
    """
    said = []
    if profile.extends:
        said.append("extends does nothing in the library: write the settings out")
    if profile.fallback and not has_fallbacks:
        said.append("fallback does nothing in the library: give fallbacks=[config, …]")
    return said
