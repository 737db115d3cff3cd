"""Loads a provider plugin's class, and makes each of its errors name the plugin."""

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
    """Load a plugin's provider class, wrapped so that its exceptions name the plugin.

    Raises:
        ConfigError: no package offers the name, or its class is not a complete provider class.
    """
    entry = find_plugin(name)
    if entry is None:
        raise ConfigError(
            f'no provider "{name}"', hint=suggest_name(name.lower(), [*VENDORS, *plugin_names()])
        )
    with convert_plugin_errors(entry):
        plugin: Any = entry.load()
        if not (isinstance(plugin, type) and issubclass(plugin, BaseLLMProvider)):
            raise TypeError("it is not a subclass of BaseLLMProvider")
        missing = sorted(getattr(plugin, "__abstractmethods__", ()))
        if missing:
            raise TypeError(f"it does not define {' and '.join(missing)}")
        subclass = new_class(
            plugin.__name__,
            (PluginErrorGuard, plugin),
            exec_body=lambda names: names.update(entry_point=entry),
        )
    guarded: type[BaseLLMProvider] = subclass
    return guarded


@contextmanager
def convert_plugin_errors(entry: EntryPoint) -> Iterator[None]:
    """Replace any exception but EasyLLMError by a ConfigError that names the plugin.

    Raises:
        ConfigError: the block raised another exception.
        EasyLLMError: the block raised it; it passes through.
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
    """A method that calls the plugin's own and converts errors, also of an awaitable result."""

    def run(self: PluginErrorGuard, *args: Any, **kwargs: Any) -> Any:
        with convert_plugin_errors(self.entry_point):
            result = getattr(super(PluginErrorGuard, self), name)(*args, **kwargs)
        return await_guarded(self.entry_point, result) if isawaitable(result) else result

    return run


async def await_guarded(entry: EntryPoint, awaitable: Any) -> Any:
    """Await a plugin's awaitable and convert its errors."""
    with convert_plugin_errors(entry):
        return await awaitable


class PluginErrorGuard(BaseLLMProvider):
    """Mixin before a plugin's class: calls its methods and converts their errors."""

    entry_point: ClassVar[EntryPoint]
    per_answer_copy = guard_method("per_answer_copy")
    has_inline_reasoning = guard_method("has_inline_reasoning")
    matches_model = guard_method("matches_model")
    reasons = guard_method("reasons")
    check_key = guard_method("check_key")
    # Only called on HTTPProvider classes.
    prepare = guard_method("prepare")
    dry_request = guard_method("dry_request")

    def __init__(self, profile: Profile | Mapping[str, Any]) -> None:
        with convert_plugin_errors(self.entry_point):
            super().__init__(profile)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        plugin: Any = super()
        with convert_plugin_errors(self.entry_point):
            generator = plugin.events(messages, stream)
            if not hasattr(generator, "aclose"):
                if hasattr(generator, "close"):
                    generator.close()  # a coroutine: avoids the "never awaited" warning
                raise TypeError("events is not an async generator")
            async with aclosing(generator) as events:
                async for event in events:
                    if not isinstance(event, Event):
                        raise TypeError(f"events yielded {type(event).__name__}, not an Event")
                    yield event

    async def models(self) -> list[Model]:
        plugin: Any = super()
        with convert_plugin_errors(self.entry_point):
            models = await plugin.models()
            if not all(isinstance(model, Model) for model in models):
                raise TypeError("models returned something that is not a Model")
            return list(models)

    async def add_hint(self, error: EasyLLMError) -> None:
        try:
            with convert_plugin_errors(self.entry_point):
                await super().add_hint(error)
        except EasyLLMError as failure:
            failure.partial = error.partial  # keep the partial answer of the original error
            raise

    async def aclose(self) -> None:
        with convert_plugin_errors(self.entry_point):
            await super().aclose()
