"""Setting, the declaration of a setting, and the checks and conversions of a setting's values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar, ParamSpec

from ..errors import ConfigError
from ..frozen_dataclass import FrozenDataclass
from ..secret import Secret
from .header_values import validate_header

# Check of each type that a setting may have, for values from TOML or JSON. True is not a number.
TYPE_CHECKS: dict[str, Callable[[Any], bool]] = {
    "None": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "Secret": lambda value: isinstance(value, str | Secret),
    "list[str]": lambda value: isinstance(value, list) and all(map(TYPE_CHECKS["str"], value)),
    "list[Secret]": lambda value: (
        isinstance(value, list) and all(map(TYPE_CHECKS["Secret"], value))
    ),
    "dict[str, Any]": lambda value: isinstance(value, Mapping),
    "dict[str, str]": lambda value: (
        isinstance(value, Mapping) and all(map(TYPE_CHECKS["str"], value.values()))
    ),
    "dict[str, float]": lambda value: (
        isinstance(value, Mapping) and all(map(TYPE_CHECKS["float"], value.values()))
    ),
    "Timeout": lambda value: True,  # `timeout_from_table` checks it, with messages of its own
}


def has_type(value: Any, annotation: str) -> bool:
    """Return whether a value fits an annotation such as `str | list[str] | None`."""
    return any(TYPE_CHECKS[kind](value) for kind in annotation.split(" | "))


# How error messages name the types; a Secret is text to the user.
TYPE_NAMES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "Secret": "text",
    "list[str]": "a list of texts",
    "list[Secret]": "a list of texts",
    "dict[str, Any]": "a table",
    "dict[str, str]": "a table of texts",
    "dict[str, float]": "a table of numbers",
}


def format_type(annotation: str) -> str:
    """Name an annotation in plain words: `str | list[str] | None` is "text or a list of texts"."""
    kinds = [kind for kind in annotation.split(" | ") if kind in TYPE_NAMES]
    if "float" in kinds:
        kinds = [kind for kind in kinds if kind != "int"]
    return " or ".join(TYPE_NAMES[kind] for kind in kinds)


def format_wrong_value(value: Any, annotation: str) -> str:
    """Name a value of the wrong type: its text for numbers and true or false, else its type.

    Values of other settings are not shown, because they may contain a key.
    """
    if {"bool", "int", "float"} & {*annotation.split(" | ")}:
        if isinstance(value, str):
            return f'"{value[:80]}"'
        if isinstance(value, int | float) and not is_beyond_float_range(value):
            return str(value).lower()
    name = _name_type(value)
    items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    wrong_items = [item for item in items if not TYPE_CHECKS["Secret"](item)]
    return f"{name} with {_name_type(wrong_items[0])}" if wrong_items else name


def _name_type(value: Any) -> str:
    """Name a value's type in plain words."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    for kind, name in ((str, "text"), (int | float, "a number"), (list, "a list")):
        if isinstance(value, kind):
            return name
    return "a table" if isinstance(value, Mapping) else type(value).__name__


TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def convert_form_value(value: Any, annotation: str, keep_whitespace: bool = False) -> Any:
    """Convert a value from a web form or JSON to the type of an annotation.

    Empty text becomes None (not given). `keep_whitespace` keeps the white space around text. A
    value that cannot be converted is returned unchanged; `validate_setting` rejects it later.
    """
    kinds = annotation.split(" | ")
    if isinstance(value, float) and "int" in kinds and "float" not in kinds and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    text = value if keep_whitespace else value.strip()
    if not text:
        return None
    if "bool" in kinds:
        word = text.lower()
        return word in TRUE_WORDS if word in (*TRUE_WORDS, *FALSE_WORDS) else value
    if "int" in kinds or "float" in kinds:
        return _parse_number(text, kinds)
    return text


def convert_form_numbers(value: Any) -> Any:
    """Convert the values of a table of numbers, without the empty ones; None = an empty table.

    What is no table is returned unchanged.
    """
    if not isinstance(value, Mapping):
        return convert_form_value(value, "dict[str, float]")
    numbers = {key: convert_form_value(item, "float") for key, item in value.items()}
    return {key: number for key, number in numbers.items() if number is not None} or None


def _parse_number(text: str, types: list[str]) -> Any:
    """Return the number in a text, an int where the types allow it; else the text itself."""
    if "_" in text or not text.isascii():
        return text  # float() also accepts 1_000 and non-ASCII digits
    try:
        number = float(text)
        whole = "int" in types and number.is_integer()
        return int(number) if whole else number if isfinite(number) else text
    except (OverflowError, ValueError):
        return text


def is_beyond_float_range(value: Any) -> bool:
    """Return whether an int is too large for a float; TOML and JSON ints have no size limit."""
    return isinstance(value, int) and value.bit_length() >= 1024


def is_dollar_amount(value: float) -> bool:
    """Return whether a number is an amount of US dollars: finite, and at least 0."""
    return not is_beyond_float_range(value) and value >= 0 and isfinite(value)


# Conversions: the name of a setting and a value of the right type, to what the profile stores.


def expand_path(name: str, path: str) -> str:
    """Replace a leading `~` of a path by the home folder."""
    return os.path.expanduser(path)


def hide_keys(name: str, value: str | Secret | list[Any]) -> Secret | list[Secret]:
    """Turn an API key, or a list of them, into Secrets."""
    if isinstance(value, list):
        return [item if isinstance(item, Secret) else Secret(item) for item in value]
    return value if isinstance(value, Secret) else Secret(value)


def check_header_value(name: str, value: str) -> str:
    """Check a setting that is sent as a header. Raises ConfigError as `validate_header`."""
    return validate_header(name, value, name)


def check_header_table(name: str, headers: dict[str, str]) -> dict[str, str]:
    """Check a table of headers; a value may be `env:NAME`. Raises as `validate_header`."""
    for header, text in headers.items():
        validate_header(header, "" if text.startswith("env:") else text)
    return headers


def check_duration(name: str, value: str) -> str:
    """Return a length of time such as `180d`, above 0. Raises ConfigError for another text."""
    from ..durations import DURATION_HINT, parse_duration

    if not parse_duration(value):
        raise ConfigError(
            f'{name} = "{value[:40]}" is no length of time above 0', code=name, hint=DURATION_HINT
        )
    return value


CACHE_OFF = "off"  # the value of `cache` that keeps nothing


def check_cache_time(name: str, value: str) -> str:
    """Return `off` or a length of time such as `24h`. Raises ConfigError for another text."""
    return value if value == CACHE_OFF else check_duration(name, value)


def check_json_table(name: str, table: Any) -> Any:
    """Raise ConfigError for a table that is not JSON: TOML also allows dates and NaN."""
    import json

    try:
        json.dumps(table, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be sent as JSON: {error}", code=name) from None
    return table


OPENAI_ADAPTERS = ("openai", "openrouter", "litellm")  # adapters that speak OpenAI's protocol


class Setting(FrozenDataclass, shared_init=True):
    """The declaration of a setting: which values it takes, and how the program treats it.

    `description`: for docs/profiles.md, help and completion.
    `default`: the value when it is not set; None = not set.
    `minimum`, `maximum`: the range of a number; None = no bound.
    `choices`: the words that it takes; () = any text.
    `refers_to`: "profiles" or "providers" if its text, or each text of a list, is such a name.
    `alias`: another name for it, "" = none.
    `adapters`: the adapters in providers.ADAPTERS that support it; () = all. With another one it
    is left out, with a note.
    `key_lists_for`: the providers that take a list of keys; () = not a key that may be a list.
    `is_key_source`: the API key comes from here; a profile has one source.
    `is_trusted_only`: an untrusted config dict must not set it, because it reads files, variables,
    stored keys or kept answers, runs commands, writes the user's own files, or changes which
    servers are trusted.
    `needs_private_file`: the profiles file that sets it must be readable by its owner only.
    `is_sampling`: it belongs to `Profile.sampling`.
    `affects_answer`: with another value the model may answer otherwise, so recordings and the cache
    tell the requests apart. False: they do not (nor for key sources), or they compare what it does
    to the messages and headers.
    `sent_default`: what `send_defaults` sends for it; None = nothing.
    `keeps_whitespace`: the white space around its text in a config dict is part of it.
    `keeps_empty`: "" in a config dict is a value; else it means not set.
    `subkeys`: the keys of its table, () = any; `subkey_description`: what each of them is.
    `convert`: checks a value of the right type, and returns what the profile stores.
    `convert_form`: reads a value of a config dict, where all values may be texts.
    `name`, `type`: filled in from the class with the declaration; the type as an annotation.
    """

    description: str = ""
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    refers_to: str = ""
    alias: str = ""
    adapters: tuple[str, ...] = ()
    key_lists_for: tuple[str, ...] = ()
    is_key_source: bool = False
    is_trusted_only: bool = False
    needs_private_file: bool = False
    is_sampling: bool = False
    affects_answer: bool = True
    sent_default: Any = None
    keeps_whitespace: bool = False
    keeps_empty: bool = False
    subkeys: tuple[str, ...] = ()
    subkey_description: str = ""
    convert: Callable[[str, Any], Any] | None = None
    convert_form: Callable[[Any], Any] | None = None
    name: str = ""
    type: str = ""

    @property
    def help(self) -> str:
        """Its description, and the adapters that support it if these are a few special ones."""
        if not self.adapters or self.adapters[: len(OPENAI_ADAPTERS)] == OPENAI_ADAPTERS:
            return self.description
        return f"{', '.join(self.adapters)}: {self.description}"

    @property
    def is_secret(self) -> bool:
        """Whether its value is a key, which must not stand on a command line."""
        return "Secret" in self.type

    @property
    def is_table(self) -> bool:
        """Whether its keys are written with a dot, as in `timeout.idle`."""
        return bool(self.subkeys) or "dict[" in self.type

    @property
    def has_nested_tables(self) -> bool:
        """Whether the tables in its table are written with more dots, as in `options.a.b`."""
        return "dict[str, Any]" in self.type

    @property
    def dotted_keys(self) -> list[str]:
        """The known keys of its table, as `timeout.idle`."""
        return [f"{self.name}.{subkey}" for subkey in self.subkeys]

    def read_form(self, value: Any) -> Any:
        """Convert a value of a config dict to the setting's type; None = not set."""
        if self.convert_form is not None:
            return self.convert_form(value)
        if self.keeps_empty and value == "":
            return value
        return convert_form_value(value, self.type, self.keeps_whitespace)

    def validate(self, value: Any) -> Any:
        """Check a value and return what the profile stores.

        Raises:
            ConfigError: wrong type, out of range, unknown word, or refused by `convert`. Its `code`
                is the setting.
        """
        if not has_type(value, self.type):
            wrong = format_wrong_value(value, self.type)
            raise ConfigError(
                f"{self.name} must be {format_type(self.type)}, not {wrong}", code=self.name
            )
        if value is None and "None" in self.type:
            return None
        self._check_range(value)
        if self.choices and value not in self.choices:
            raise ConfigError(
                f'{self.name} = "{value}" is not known',
                code=self.name,
                hint=" | ".join(self.choices),
            )
        return value if self.convert is None else self.convert(self.name, value)

    def _check_range(self, value: Any) -> None:
        """Raise ConfigError for a number out of range, or one too large for a float."""
        least, most = self.minimum, self.maximum
        is_huge = is_beyond_float_range(value)
        if (
            is_huge
            or (least is not None and not value >= least)  # also true for NaN
            or (most is not None and not value <= most)
        ):
            allowed = f"at least {least}" if most is None else f"between {least} and {most}"
            allowed = allowed if least is not None else "use a smaller number"
            # Python refuses to print an integer of more than 4,300 digits.
            written = "a huge number" if is_huge else value
            raise ConfigError(
                f"{self.name} = {written} is out of range", code=self.name, hint=allowed
            )


class DeclaredSettings(FrozenDataclass):
    """Base class of a group of settings: `name: type = setting(…)` declares a field and a setting.

    `declarations`: the settings by name.
    """

    declarations: ClassVar[dict[str, Setting]] = {}

    def __init_subclass__(cls, shared_init: bool = True) -> None:
        declarations = cls.declarations.copy()
        for name, annotation in cls.__annotations__.items():
            declared = vars(cls)[name]
            if isinstance(declared, Setting):
                vars(declared).update(name=name, type=annotation)
                declarations[name] = declared
                setattr(cls, name, declared.default)
        cls.declarations = declarations
        super().__init_subclass__(shared_init)


_P = ParamSpec("_P")


def _as_default(declaration: Callable[_P, Setting]) -> Callable[_P, Any]:
    """The same function, typed so that its result may stand for a field of any type."""
    return declaration


setting = _as_default(Setting)  # declares a setting in a DeclaredSettings class
