"""Finds the API key for an endpoint, and refuses to send it over http:// to other machines."""

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
from .profile import Profile, refuse_multiple_api_keys
from .settings import KEY_LIST_SETTINGS, KEY_SOURCES

KEY_COMMAND_TIMEOUT_SECONDS = 10  # of api_key_cmd


def resolve_api_key(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """Return the API key to send to this endpoint, or None if no key is sent.

    Raises:
        AuthError: a key is needed, and its source has none.
        ConfigError: the key is refused (http:// to another machine, or a file others can read).
    """
    key = _read_configured_key(profile)
    if key is None:
        key = _find_default_key(profile, endpoint)
    if key is not None:
        refuse_key_over_http(profile, endpoint)
    return key


def refuse_key_over_http(profile: Profile, endpoint: Endpoint, header_name: str = "") -> None:
    """Raise ConfigError if a key would go over http:// to another machine or through a proxy there.

    `header_name` is the profile's header that contains the key; "" for the API key.
    """
    within = f" in the header {header_name}" if header_name else ""
    if not endpoint.url.startswith("http://") or profile.allow_http:
        return
    for url, hop in ((endpoint.url, ""), (profile.proxy or "", "the proxy ")):
        host = _remote_host_from_url(url)
        if host:
            raise ConfigError(
                f"a key would go over http:// to {hop}{host}{within}",
                hint="use https://, or set allow_http = true in the profile",
            )


def _remote_host_from_url(url: str) -> str:
    """Return the URL's host; "" = this machine, or no host."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return ""
    return "" if not host or is_loopback(url) else host


def resolve_api_keys(profile: Profile, endpoint: Endpoint) -> list[Secret]:
    """Return the API keys to use in turn for this endpoint; several only from a list of keys.

    Raises:
        AuthError: as `resolve_api_key`.
        ConfigError: as `resolve_api_key`, or the list is empty.
    """
    for source in KEY_LIST_SETTINGS:
        items = getattr(profile, source)
        if isinstance(items, list):
            if not items:
                raise ConfigError(f"{source} is an empty list", hint="give at least one key")
            single_key = [replace(profile, **{source: item}) for item in items]
            keys = [resolve_api_key(copy, endpoint) for copy in single_key]
            return [key for key in keys if key is not None]
    key = resolve_api_key(profile, endpoint)
    return [] if key is None else [key]


def has_key_source(profile: Profile, endpoint: Endpoint) -> bool:
    """Return whether there is a key source, without reading the key (for --dry-run)."""
    if any(getattr(profile, source) is not None for source in KEY_SOURCES):
        return True
    if not _takes_default_key(profile, endpoint):
        return False
    return bool(_find_key_variable(profile)) or _import_key_store().has_stored_key(
        profile.provider or ""
    )


def find_key_source(profile: Profile, endpoint: Endpoint) -> str:
    """Name the source of the key, for the error line about a rejected key (401)."""
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


def describe_missing_key(profile: Profile, endpoint: Endpoint) -> str:
    """Say why there is no key, in the words of the error that a request without it gets."""
    if profile.api_key_env is not None:
        return f"{find_key_source(profile, endpoint)} is not set"
    if profile.keyring is not None:
        return f'no key is stored as "{profile.keyring}"'
    vendor = get_vendor(profile.provider)
    if vendor.key_required and vendor.has_host(endpoint.host):
        return f"{' or '.join(vendor.key_variables)} is not set"
    return find_key_source(profile, endpoint) or "no key is configured"


def _read_configured_key(profile: Profile) -> Secret | None:
    """Read the key from the source that the profile sets; None = it sets none."""
    refuse_multiple_api_keys(profile)
    if isinstance(profile.api_key, Secret):
        return parse_api_key(profile.api_key.reveal(), "api_key is empty")
    if isinstance(profile.api_key_env, str):
        name = profile.api_key_env
        return parse_api_key(
            os.environ.get(name, ""), f"{name} is not set", hint=f"export {name}=your-key"
        )
    if profile.api_key_file is not None:
        return read_key_file(Path(profile.api_key_file))
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
    """Import key_store on demand: a run with a key variable, or without a key, skips it."""
    from . import key_store

    return key_store


def _has_keys_file() -> bool:
    """Return whether keys.json exists; without it, key_store is not imported (saves 1 ms)."""
    try:
        keys_file().stat()
    except FileNotFoundError:
        return False
    except (OSError, RuntimeError):
        pass  # reading it later reports the error
    return True


def _takes_default_key(profile: Profile, endpoint: Endpoint) -> bool:
    """Return whether this endpoint may get the provider's default key.

    Only the provider's own hosts and the endpoint from the provider's variable get it.
    """
    return bool(endpoint.variable) or get_vendor(profile.provider).has_host(endpoint.host)


def _find_key_variable(profile: Profile) -> str:
    """Return the provider's first key variable that is set; "" = none."""
    names = get_vendor(profile.provider).key_variables
    return next((name for name in names if os.environ.get(name, "").strip()), "")


def _find_default_key(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """Read the key from the provider's variable, else the key stored under its name."""
    if not _takes_default_key(profile, endpoint):
        return None
    vendor, name = get_vendor(profile.provider), profile.provider or ""
    variable = _find_key_variable(profile)
    if variable:
        return parse_api_key(os.environ[variable], f"{variable} is empty")
    stored: str | None = _import_key_store().load_key(name) if _has_keys_file() else None
    if stored is not None:
        return parse_api_key(stored, f'the key stored as "{name}" is empty')
    if vendor.key_required and vendor.has_host(endpoint.host):
        raise AuthError(
            f"no key for {name}: {' or '.join(vendor.key_variables)} is not set",
            hint=f"export {vendor.key_variables[0]}=your-key, or: easyllm keys set {name}",
        )
    return None


def parse_api_key(value: str, empty_message: str, hint: str = "") -> Secret:
    """Strip white space, a byte order mark and `Authorization: Bearer` from a key.

    Raises:
        AuthError: the key is empty (with `empty_message`), or has characters invalid in headers.
    """
    value = value.strip().removeprefix("\ufeff")
    value = re.sub(r"(?i)^\s*(?:authorization:\s*)?bearer(?:\s+|$)", "", value).strip()
    if not value:
        raise AuthError(empty_message, hint=hint or "use a source that has a key")
    if not value.isprintable() or not value.isascii():
        raise AuthError("the key has characters that keys cannot contain", hint="copy it again")
    return Secret(value)


def read_key_file(path: Path) -> Secret:
    """Read the key in a file.

    Raises:
        ConfigError: others can read the file. AuthError: it cannot be read, or holds no key.
    """
    try:
        require_private(path, "api_key_file")
        with path.open("rb") as file:
            data = file.read(MAX_PRIVATE_FILE_BYTES + 1)
        if len(data) > MAX_PRIVATE_FILE_BYTES:
            raise AuthError(
                "api_key_file is larger than 1 MiB, too large for a key", where=str(path)
            )
        refuse_utf16(data, "api_key_file", str(path), ConfigError)
        return parse_api_key(data.decode("utf-8"), f"{path} is empty")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AuthError(f"api_key_file cannot be read: {reason}", where=str(path)) from None


def _key_from_command(command: str | list[str]) -> Secret:
    """Run the command without a shell for at most 10 seconds; its first line is the key."""
    from .key_command import run_key_command  # imports that other sources do not need

    try:
        arguments = shlex.split(command) if isinstance(command, str) else command
        if not arguments:
            raise ConfigError("api_key_cmd is empty")
        code, printed = run_key_command(arguments, KEY_COMMAND_TIMEOUT_SECONDS)
    except TimeoutError:  # from --timeout; it is also an OSError
        raise
    except OSError as error:
        raise AuthError(f"api_key_cmd cannot run: {error.strerror}", where=arguments[0]) from None
    except ValueError as error:
        raise ConfigError(f"api_key_cmd is not a valid command: {error}") from None
    if code:
        raise AuthError(f"api_key_cmd failed with exit code {code}", where=arguments[0])
    return parse_api_key(printed.decode("utf-8", "replace"), "api_key_cmd printed no key")
