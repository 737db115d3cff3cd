"""Which key goes with a request, from the one source that is named; never to a foreign host."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

from .endpoints import Endpoint, is_loopback
from .errors import AuthError, ConfigError
from .profiles import KEY_SOURCES, Profile, refuse_several_keys
from .secret import Secret
from .vendors import vendor_of

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


def refuse_plain(profile: Profile, endpoint: Endpoint) -> None:
    """Raise ConfigError where a key would go over http:// to another machine."""
    plain = endpoint.url.startswith("http://") and not is_loopback(endpoint.url)
    if plain and not profile.allow_http:
        raise ConfigError(
            f"a key would go over http:// to {endpoint.host}",
            hint="use https://, or set allow_http = true in the profile",
        )


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
    try:
        return _usual(profile, endpoint) is not None
    except AuthError:
        return False


def source_of(profile: Profile, endpoint: Endpoint) -> str:
    """Where the key came from, for the line about a refused one (FAULTS §4, 7)."""
    for source in KEY_SOURCES:
        value = getattr(profile, source)
        if value is not None:
            if source != "api_key_env":
                return source
            return " or ".join(value) if isinstance(value, list) else str(value)
    names = vendor_of(profile.provider).key_variables
    return next((name for name in names if os.environ.get(name, "").strip()), "")


def _named(profile: Profile) -> Secret | None:
    """The key from the source that the profile names."""
    refuse_several_keys(profile)
    if isinstance(profile.api_key, Secret):
        return _not_empty(profile.api_key.reveal(), "api_key is empty")
    if isinstance(profile.api_key_env, str):
        name = profile.api_key_env
        return _not_empty(
            os.environ.get(name, ""), f"{name} is not set", hint=f"export {name}=your-key"
        )
    if profile.api_key_file is not None:
        return _from_file(Path(profile.api_key_file))
    if profile.api_key_cmd is not None:
        return _from_command(profile.api_key_cmd)
    if profile.keyring is not None:
        raise ConfigError(
            "keys from the system keyring are not supported yet",
            hint="use api_key_env, api_key_file or api_key_cmd",
        )
    return None


def _usual(profile: Profile, endpoint: Endpoint) -> Secret | None:
    """The provider's own variable, at its own hosts or the endpoint its variable names."""
    vendor = vendor_of(profile.provider)
    own = endpoint.host in vendor.hosts
    if not own and not endpoint.variable:
        return None
    for name in vendor.key_variables:
        if os.environ.get(name, "").strip():
            return _not_empty(os.environ[name], f"{name} is empty")
    if own and vendor.key_required:
        first = vendor.key_variables[0]
        raise AuthError(
            f"no key for {profile.provider}: {' or '.join(vendor.key_variables)} is not set",
            hint=f"export {first}=your-key",
        )
    return None


def _not_empty(value: str, message: str, hint: str = "") -> Secret:
    value = value.strip()
    if not value:
        raise AuthError(message, hint=hint or "name a source that holds a key")
    if not value.isprintable() or not value.isascii():
        raise AuthError("the key holds characters that no key has", hint="copy it again")
    return Secret(value)


def _from_file(path: Path) -> Secret:
    try:
        refuse_if_open(path, "api_key_file")
        return _not_empty(path.read_text("utf-8"), f"{path} is empty")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AuthError(f"api_key_file cannot be read: {reason}", where=str(path)) from None


def _from_command(command: str | list[str]) -> Secret:
    """The first line that the command prints; no shell, 10 seconds."""
    try:
        words = shlex.split(command) if isinstance(command, str) else command
        if not words:
            raise ConfigError("api_key_cmd is empty")
        ran = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise AuthError(f"api_key_cmd took longer than {COMMAND_SECONDS} s") from None
    except OSError as error:
        raise AuthError(f"api_key_cmd cannot run: {error.strerror}", where=words[0]) from None
    except ValueError as error:
        raise ConfigError(f"api_key_cmd is no command: {error}") from None
    if ran.returncode:
        raise AuthError(f"api_key_cmd failed with exit code {ran.returncode}", where=words[0])
    first = ran.stdout.decode("utf-8", "replace").partition("\n")[0]
    return _not_empty(first, "api_key_cmd printed no key")


def refuse_if_open(path: Path, what: str) -> None:
    """A file that holds keys is the user's own and closed to others, as with ssh.

    Raises:
        ConfigError: others may read it, or somebody else owns it.
        OSError: it cannot be looked at.
    """
    if os.name == "nt":
        return  # DESIGN §2: Windows runs without mode checks
    state = path.stat()
    if state.st_uid not in {os.getuid(), 0}:
        raise ConfigError(f"{path} belongs to somebody else", hint=f"{what} needs your own file")
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise ConfigError(
            f"{path} can be read by others, and {what} needs a closed file",
            hint=f"chmod 600 {shlex.quote(str(path))}",
        )
