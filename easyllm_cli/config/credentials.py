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
from ..private_file import MAX_PRIVATE_FILE_BYTES, require_private
from ..secret import Secret
from ..text_encoding import refuse_utf16
from ..vendors import get_vendor
from .endpoints import Endpoint, is_loopback
from .paths import keys_file
from .profile import KEY_SOURCES, Profile, refuse_multiple_api_keys

KEY_COMMAND_TIMEOUT_SECONDS = 10  # FAULTS §5.2


def resolve_api_key(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """The key to send to this endpoint, or None when none is to be sent.

    Raises:
        AuthError: a key is needed and the named source has none.
        ConfigError: the source is refused (http://, mode, an untrusted file).
    """
    key = _read_configured_key(profile)
    if key is None:
        key = _find_default_key(profile, endpoint)
    if key is not None:
        refuse_key_over_http(profile, endpoint)
    return key


def refuse_key_over_http(profile: Profile, endpoint: Endpoint, header_name: str = "") -> None:
    """Raise ConfigError where a key would go over http:// to another machine, or a proxy there.

    `header`: the one of the profile's own that holds it.
    """
    within = f" in the header {header_name}" if header_name else ""
    if not endpoint.url.startswith("http://") or profile.allow_http:
        return
    for url, what in ((endpoint.url, ""), (profile.proxy or "", "the proxy ")):
        host = _remote_host_from_url(url)
        if host:
            raise ConfigError(
                f"a key would go over http:// to {what}{host}{within}",
                hint="use https://, or set allow_http = true in the profile",
            )


def _remote_host_from_url(url: str) -> str:
    """The URL's host; "" = it is this machine, or none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return ""
    return "" if not host or is_loopback(url) else host


def resolve_api_keys(profile: Profile, endpoint: Endpoint) -> list[Secret]:
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
            return [key for one in each if (key := resolve_api_key(one, endpoint)) is not None]
    key = resolve_api_key(profile, endpoint)
    return [] if key is None else [key]


def has_key_source(profile: Profile, endpoint: Endpoint) -> bool:
    """Whether a key would be looked up, without looking it up (--dry-run)."""
    if any(getattr(profile, source) is not None for source in KEY_SOURCES):
        return True
    if not _takes_default_key(profile, endpoint):
        return False
    return bool(_find_key_variable(profile)) or _import_key_store().has_stored_key(
        profile.provider or ""
    )


def find_key_source(profile: Profile, endpoint: Endpoint) -> str:
    """Where the key came from, for the line about a refused one (FAULTS §4, 7)."""
    for source in KEY_SOURCES:
        value = getattr(profile, source)
        if value is not None:
            if source != "api_key_env":
                return source
            return " or ".join(value) if isinstance(value, list) else str(value)
    name = profile.provider or ""
    stored = (
        not _find_key_variable(profile)
        and _takes_default_key(profile, endpoint)
        and _import_key_store().has_stored_key(name)
    )
    return f"easyllm keys ({name})" if stored else _find_key_variable(profile)


def _read_configured_key(profile: Profile) -> Secret | None:
    """The key from the source that the profile names."""
    refuse_multiple_api_keys(profile)
    if isinstance(profile.api_key, Secret):
        return parse_api_key(profile.api_key.reveal(), "api_key is empty")
    if isinstance(profile.api_key_env, str):
        name = profile.api_key_env
        return parse_api_key(
            os.environ.get(name, ""), f"{name} is not set", hint=f"export {name}=your-key"
        )
    if profile.api_key_file is not None:
        return _key_from_file(Path(profile.api_key_file))
    if profile.api_key_cmd is not None:
        return _key_from_command(profile.api_key_cmd)
    if profile.keyring is not None:
        name = profile.keyring
        hint = f"easyllm keys set {shlex.quote(name)}"
        return parse_api_key(
            _import_key_store().load_key(name, search_keyring=True) or "",
            f'no key is stored as "{name}"',
            hint,
        )
    return None


def _import_key_store() -> ModuleType:
    """What `easyllm keys` has stored; an ordinary start, with a variable or no key, needs none."""
    from . import key_store

    return key_store


def _has_keys_file() -> bool:
    """Whether there is a file of stored keys: without it 1 ms of imports is saved."""
    try:
        keys_file().stat()
    except FileNotFoundError:
        return False
    except (OSError, RuntimeError):
        pass  # whoever reads it tells what is wrong
    return True


def _takes_default_key(profile: Profile, endpoint: Endpoint) -> bool:
    """Only the provider's own hosts, or the endpoint its variable names, get its usual key."""
    return endpoint.host in get_vendor(profile.provider).hosts or bool(endpoint.variable)


def _find_key_variable(profile: Profile) -> str:
    """The first of the provider's key variables that is set; "" = none is."""
    names = get_vendor(profile.provider).key_variables
    return next((name for name in names if os.environ.get(name, "").strip()), "")


def _find_default_key(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """The provider's own variable, else what `easyllm keys` stored under its name."""
    if not _takes_default_key(profile, endpoint):
        return None
    vendor, name = get_vendor(profile.provider), profile.provider or ""
    variable = _find_key_variable(profile)
    if variable:
        return parse_api_key(os.environ[variable], f"{variable} is empty")
    stored: str | None = _import_key_store().load_key(name) if _has_keys_file() else None
    if stored is not None:
        return parse_api_key(stored, f'the key stored as "{name}" is empty')
    if endpoint.host in vendor.hosts and vendor.key_required:
        raise AuthError(
            f"no key for {name}: {' or '.join(vendor.key_variables)} is not set",
            hint=f"export {vendor.key_variables[0]}=your-key, or: easyllm keys set {name}",
        )
    return None


def parse_api_key(value: str, empty_message: str, hint: str = "") -> Secret:
    """A key without the space, the byte order mark and the header's word around it.

    Raises:
        AuthError: it is empty (then `message`), or holds characters that no header takes.
    """
    value = value.strip().removeprefix("\ufeff")
    value = re.sub(r"(?i)^\s*(?:authorization:\s*)?bearer(?:\s+|$)", "", value).strip()
    if not value:
        raise AuthError(empty_message, hint=hint or "name a source that holds a key")
    if not value.isprintable() or not value.isascii():
        raise AuthError("the key holds characters that no key has", hint="copy it again")
    return Secret(value)


def _key_from_file(path: Path) -> Secret:
    try:
        require_private(path, "api_key_file")
        with path.open("rb") as file:
            data = file.read(MAX_PRIVATE_FILE_BYTES + 1)
        if len(data) > MAX_PRIVATE_FILE_BYTES:
            raise AuthError("api_key_file is larger than 1 MiB, and no key is", where=str(path))
        refuse_utf16(data, "api_key_file", str(path), ConfigError)
        return parse_api_key(data.decode("utf-8"), f"{path} is empty")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AuthError(f"api_key_file cannot be read: {reason}", where=str(path)) from None


def _key_from_command(command: str | list[str]) -> Secret:
    """The first line that the command prints; no shell, 10 seconds."""
    from .key_command import run_key_command  # what only a command needs

    try:
        words = shlex.split(command) if isinstance(command, str) else command
        if not words:
            raise ConfigError("api_key_cmd is empty")
        code, printed = run_key_command(words, KEY_COMMAND_TIMEOUT_SECONDS)
    except TimeoutError:  # an OSError, too: the time of the whole command is over
        raise
    except OSError as error:
        raise AuthError(f"api_key_cmd cannot run: {error.strerror}", where=words[0]) from None
    except ValueError as error:
        raise ConfigError(f"api_key_cmd is no command: {error}") from None
    if code:
        raise AuthError(f"api_key_cmd failed with exit code {code}", where=words[0])
    return parse_api_key(printed.decode("utf-8", "replace"), "api_key_cmd printed no key")
