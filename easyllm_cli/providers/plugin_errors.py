"""The class behind a plugin's name; whatever of its code fails is told as the plugin's failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from importlib.metadata import EntryPoint
from inspect import isawaitable
from types import new_class
from typing import Any, ClassVar

from ..config.profile import Profile
from ..errors import ConfigError, EasyLLMError, suggest_name
from ..events import Event, Model
from ..messages import Message
from ..plugins import find_plugin, format_entry_point, plugin_names
from ..vendors import VENDORS
from .base import BaseLLMProvider


def plugin_class(name: str) -> type[BaseLLMProvider]:
    """A subclass of the plugin's own class, which blames the plugin for what it raises.

    Raises:
        ConfigError: no package offers the name, or what it offers is no provider class.
    """
    entry = find_plugin(name)
    if entry is None:
        raise ConfigError(
            f'no provider "{name}"', hint=suggest_name(name.lower(), [*VENDORS, *plugin_names()])
        )
    with convert_plugin_errors(entry):
        found: Any = entry.load()
        if not (isinstance(found, type) and issubclass(found, BaseLLMProvider)):
            raise TypeError("it is no subclass of BaseLLMProvider")
        missing = sorted(getattr(found, "__abstractmethods__", ()))
        if missing:
            raise TypeError(f"it does not define {' and '.join(missing)}")
        made = new_class(
            found.__name__,
            (PluginErrorGuard, found),
            exec_body=lambda names: names.update(entry_point=entry),
        )
    guarded: type[BaseLLMProvider] = made
    return guarded


@contextmanager
def convert_plugin_errors(entry: EntryPoint) -> Iterator[None]:
    """What is no error of our tree becomes one line that names the plugin.

    Raises:
        ConfigError: instead of anything else that is raised.
    """
    try:
        yield
    except EasyLLMError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f'the provider "{entry.name}" failed: {type(error).__name__}: {error}',
            where=format_entry_point(entry),
            hint="update or uninstall that package; --debug shows where it failed",
        ) from error


def guard_method(name: str) -> Any:
    """A method that runs the plugin's own under `blamed`; one that is awaited, to its end."""

    def run(self: PluginErrorGuard, *given: Any, **named: Any) -> Any:
        with convert_plugin_errors(self.entry_point):
            made = getattr(super(PluginErrorGuard, self), name)(*given, **named)
        return await_guarded(self.entry_point, made) if isawaitable(made) else made

    return run


async def await_guarded(entry: EntryPoint, made: Any) -> Any:
    with convert_plugin_errors(entry):
        return await made


class PluginErrorGuard(BaseLLMProvider):
    """Stands before a plugin's class and runs each step of it under `blamed`."""

    entry_point: ClassVar[EntryPoint]
    per_answer_copy = guard_method("per_answer_copy")
    has_inline_reasoning = guard_method("has_inline_reasoning")
    matches_model = guard_method("matches_model")
    reasons = guard_method("reasons")
    check_key = guard_method("check_key")
    # Of a HTTPProvider alone; of any other nobody asks for them.
    prepare = guard_method("prepare")
    dry_request = guard_method("dry_request")

    def __init__(self, profile: Profile | Mapping[str, Any]) -> None:
        with convert_plugin_errors(self.entry_point):
            super().__init__(profile)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        plugin: Any = super()
        with convert_plugin_errors(self.entry_point):
            made = plugin.events(messages, stream)
            if not hasattr(made, "aclose"):
                if hasattr(made, "close"):
                    made.close()  # a coroutine that nobody will await
                raise TypeError("events is no async generator")
            async with aclosing(made) as events:
                async for event in events:
                    if not isinstance(event, Event):
                        raise TypeError(f"events gave {type(event).__name__}, which is no event")
                    yield event

    async def models(self) -> list[Model]:
        plugin: Any = super()
        with convert_plugin_errors(self.entry_point):
            found = await plugin.models()
            if not all(isinstance(one, Model) for one in found):
                raise TypeError("models gave something that is no Model")
            return list(found)

    async def add_hint(self, error: EasyLLMError) -> None:
        try:
            with convert_plugin_errors(self.entry_point):
                await super().add_hint(error)
        except EasyLLMError as failure:
            failure.partial = error.partial  # what had come is not lost with its error
            raise

    async def aclose(self) -> None:
        with convert_plugin_errors(self.entry_point):
            await super().aclose()
