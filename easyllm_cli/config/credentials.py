"""Which key goes with a request, from the one source that is named; never to a foreign host."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from ..errors import AuthError, ConfigError
from ..private_file import MAX_FILE_BYTES, refuse_if_open
from ..secret import Secret
from ..text_encoding import refuse_utf16
from ..vendors import vendor_of
from .endpoints import Endpoint, is_loopback
from .paths import keys_file
from .profile import KEY_SOURCES, Profile, refuse_several_keys

COMMAND_SECONDS = 10  # FAULTS §5.2


def key_for(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """The key to send to this endpoint, or None when none is to be sent.

    Raises:
        AuthError: a key is needed and the named source has none.
        ConfigError: the source is refused (http://, mode, an untrusted file).
    """
    key = _named(profile)
    if key is None:
        key = _usual(profile, endpoint)
    if key is not None:
        refuse_plain(profile, endpoint)
    return key


def refuse_plain(profile: Profile, endpoint: Endpoint, header: str = "") -> None:
    """Raise ConfigError where a key would go over http:// to another machine, or a proxy there.

    `header`: the one of the profile's own that holds it.
    """
    within = f" in the header {header}" if header else ""
    if not endpoint.url.startswith("http://") or profile.allow_http:
        return
    for url, what in ((endpoint.url, ""), (profile.proxy or "", "the proxy ")):
        host = _another_machine(url)
        if host:
            raise ConfigError(
                f"a key would go over http:// to {what}{host}{within}",
                hint="use https://, or set allow_http = true in the profile",
            )


def _another_machine(url: str) -> str:
    """The URL's host; "" = it is this machine, or none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return ""
    return "" if not host or is_loopback(url) else host


def keys_for(profile: Profile, endpoint: Endpoint) -> list[Secret]:
    """Every key to send to this endpoint in turn, where a profile may name several.

    Raises:
        AuthError, ConfigError: as key_for; the list is empty.
    """
    for source in ("api_key_env", "api_key"):
        named = getattr(profile, source)
        if isinstance(named, list):
            if not named:
                raise ConfigError(f"{source} is an empty list", hint="name a key")
            each = [replace(profile, **{source: one}) for one in named]
            return [key for one in each if (key := key_for(one, endpoint)) is not None]
    key = key_for(profile, endpoint)
    return [] if key is None else [key]


def names_a_key(profile: Profile, endpoint: Endpoint) -> bool:
    """Whether a key would be looked up, without looking it up (--dry-run)."""
    if any(getattr(profile, source) is not None for source in KEY_SOURCES):
        return True
    if not _takes_usual(profile, endpoint):
        return False
    return bool(_variable(profile)) or _keys().holds(profile.provider or "")


def source_of(profile: Profile, endpoint: Endpoint) -> str:
    """Where the key came from, for the line about a refused one (FAULTS §4, 7)."""
    for source in KEY_SOURCES:
        value = getattr(profile, source)
        if value is not None:
            if source != "api_key_env":
                return source
            return " or ".join(value) if isinstance(value, list) else str(value)
    name = profile.provider or ""
    stored = not _variable(profile) and _takes_usual(profile, endpoint) and _keys().holds(name)
    return f"easyllm keys ({name})" if stored else _variable(profile)


def _named(profile: Profile) -> Secret | None:
    """The key from the source that the profile names."""
    refuse_several_keys(profile)
    if isinstance(profile.api_key, Secret):
        return usable(profile.api_key.reveal(), "api_key is empty")
    if isinstance(profile.api_key_env, str):
        name = profile.api_key_env
        return usable(
            os.environ.get(name, ""), f"{name} is not set", hint=f"export {name}=your-key"
        )
    if profile.api_key_file is not None:
        return _from_file(Path(profile.api_key_file))
    if profile.api_key_cmd is not None:
        return _from_command(profile.api_key_cmd)
    if profile.keyring is not None:
        name = profile.keyring
        hint = f"easyllm keys set {shlex.quote(name)}"
        return usable(
            _keys().stored(name, anywhere=True) or "", f'no key is stored as "{name}"', hint
        )
    return None


def _keys() -> ModuleType:
    """What `easyllm keys` has stored; an ordinary start, with a variable or no key, needs none."""
    from . import key_store

    return key_store


def _may_be_stored() -> bool:
    """Whether there is a file of stored keys: without it 1 ms of imports is saved."""
    try:
        keys_file().stat()
    except FileNotFoundError:
        return False
    except (OSError, RuntimeError):
        pass  # whoever reads it tells what is wrong
    return True


def _takes_usual(profile: Profile, endpoint: Endpoint) -> bool:
    """Only the provider's own hosts, or the endpoint its variable names, get its usual key."""
    return endpoint.host in vendor_of(profile.provider).hosts or bool(endpoint.variable)


def _variable(profile: Profile) -> str:
    """The first of the provider's key variables that is set; "" = none is."""
    names = vendor_of(profile.provider).key_variables
    return next((name for name in names if os.environ.get(name, "").strip()), "")


def _usual(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """The provider's own variable, else what `easyllm keys` stored under its name."""
    if not _takes_usual(profile, endpoint):
        return None
    vendor, name = vendor_of(profile.provider), profile.provider or ""
    variable = _variable(profile)
    if variable:
        return usable(os.environ[variable], f"{variable} is empty")
    stored: str | None = _keys().stored(name) if _may_be_stored() else None
    if stored is not None:
        return usable(stored, f'the key stored as "{name}" is empty')
    if endpoint.host in vendor.hosts and vendor.key_required:
        raise AuthError(
            f"no key for {name}: {' or '.join(vendor.key_variables)} is not set",
            hint=f"export {vendor.key_variables[0]}=your-key, or: easyllm keys set {name}",
        )
    return None


def usable(value: str, message: str, hint: str = "") -> Secret:
    """A key without the space, the byte order mark and the header's word around it.

    Raises:
        AuthError: it is empty (then `message`), or holds characters that no header takes.
    """
    value = value.strip().removeprefix("\ufeff")
    value = re.sub(r"(?i)^\s*(?:authorization:\s*)?bearer(?:\s+|$)", "", value).strip()
    if not value:
        raise AuthError(message, hint=hint or "name a source that holds a key")
    if not value.isprintable() or not value.isascii():
        raise AuthError("the key holds characters that no key has", hint="copy it again")
    return Secret(value)


def _from_file(path: Path) -> Secret:
    try:
        refuse_if_open(path, "api_key_file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise AuthError("api_key_file is larger than 1 MiB, and no key is", where=str(path))
        refuse_utf16(data, "api_key_file", str(path), ConfigError)
        return usable(data.decode("utf-8"), f"{path} is empty")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AuthError(f"api_key_file cannot be read: {reason}", where=str(path)) from None


def _from_command(command: str | list[str]) -> Secret:
    """The first line that the command prints; no shell, 10 seconds."""
    from .key_command import first_line  # what only a command needs

    try:
        words = shlex.split(command) if isinstance(command, str) else command
        if not words:
            raise ConfigError("api_key_cmd is empty")
        code, printed = first_line(words, COMMAND_SECONDS)
    except TimeoutError:  # an OSError, too: the time of the whole command is over
        raise
    except OSError as error:
        raise AuthError(f"api_key_cmd cannot run: {error.strerror}", where=words[0]) from None
    except ValueError as error:
        raise ConfigError(f"api_key_cmd is no command: {error}") from None
    if code:
        raise AuthError(f"api_key_cmd failed with exit code {code}", where=words[0])
    return usable(printed.decode("utf-8", "replace"), "api_key_cmd printed no key")
