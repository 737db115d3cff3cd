"""The error classes, with the `kind` and the exit code of each.

EasyLLMError                bug          1    a bug in easyllm
├── UsageError              usage        2    the command line is wrong
├── ConfigError             config       2    a profile, a file or a variable is wrong
├── AuthError               auth         3    no key, a wrong key, no permission
├── BillingError            billing      3    no credit or quota left: waiting does not help
│   └── BudgetError        budget       3    the user's own budget is used up
├── RefusedError            refused      4    the server refuses this request
│   ├── FilteredError       filtered     4    a filter or a refusal left no text
│   ├── NotFoundError       not_found    4    no such model or path
│   └── TooLargeError       too_large    4    over the model's context or the server's limit
├── BusyError               busy         5    rate limit, overload, a failing server
├── NetworkError            network      6    DNS, connect, TLS, dropped before the answer
│   └── FirstTokenTimeout   timeout      6    the first token did not arrive in time
├── IncompleteAnswer        incomplete   7    the answer is cut or has no text
│   └── MalformedAnswer     malformed    7    the response cannot be read as an answer
├── OutputError             io           8    output could not be written
├── SomeFailedError         some_failed  9    some of several answers failed
└── Interrupted             interrupted  130  Ctrl-C (143 for SIGTERM)
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from .completion import Completion


# Every exit code of the command line. A test compares README's table with this.
EXIT_CODES: dict[int, str] = {
    0: "ok",
    1: "a bug in easyllm",
    2: "usage, configuration, or an input that cannot be read",
    3: "key, permission, billing",
    4: "the request was refused",
    5: "provider busy or failing after retries",
    6: "network: DNS, connect, TLS, no first token",
    7: "the answer is incomplete or malformed",
    8: "output could not be written (disk full, no permission)",
    9: "some of several answers failed",
    130: "Ctrl-C",
    141: "broken pipe",
    143: "SIGTERM, or the terminal was closed",
}
BROKEN_PIPE_EXIT_CODE = 141
SCHEMA_MISMATCH, NO_CODE_BLOCK = "schema_mismatch", "no_code_block"  # `code` of a failed check
CLOSED_LOCALLY = "closed"  # the `code` of an error after this process closed the connection itself
SIGTERM_EXIT_CODE = 143


# Optional package (import name) -> the extra of easyllm-cli that installs it.
EXTRAS = {
    "litellm": "litellm",
    "google": "gemini",
    "sqlalchemy": "db",
    "jsonschema": "schema",
    "xllamacpp": "local",
    "keyring": "keyring",
    "aiohttp": "batch",
}


class EasyLLMError(Exception):
    """An error whose text is one line: what (where): what to do.

    `kind`: the error's name in JSON output. `status`: the HTTP status, None = none.
    `code`: the cause, for programs: the server's error code, or a word such as "tls".
    `retry_after`: seconds to wait, as the server asked.
    `partial`: the part of the answer that had arrived. `partial_path`: the file that keeps it.
    `rate_limit_headers`: those of the response, with lower-case names.
    `is_own`: this machine caused it, not the request or the provider: a limit of the user's, a file
    that cannot be written. It is not recorded.
    """

    kind: ClassVar[str] = "bug"
    exit_code: int = 1
    retryable: bool = False
    hint: str = ""
    partial_path: str = ""
    rate_limit_headers: Mapping[str, str] = {}
    is_own: bool = False

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        hint: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        if hint is not None:
            self.hint = hint
        if retryable is not None:
            self.retryable = retryable
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id
        self.partial: Completion | None = None

    @property
    def what(self) -> str:
        """The message, followed by the HTTP status if there is one."""
        return f"{self.message} (HTTP {self.status})" if self.status else self.message

    @property
    def advice(self) -> str:
        """The hint, followed by the file that keeps the partial answer if there is one."""
        return " ".join(self.parts()[1:])

    def parts(self, shorten: Callable[[str], str] = str) -> list[str]:
        """The parts of `str(error)`: what and where, the hint, the file of the partial answer.

        `shorten`: is applied to the message and to the hint, which may contain a server's text.
        """
        status = f"HTTP {self.status}" if self.status else ""
        where = ", ".join(part for part in (status, self.where) if part)
        parts = [shorten(self.message) + (f" ({where})" if where else "")]
        if self.hint:
            parts = [f"{parts[0]}:", shorten(self.hint)]
        if self.partial_path:
            parts[-1] += ";" if self.hint else ":"
            parts.append(f"the partial answer is in {self.partial_path}")
        return parts

    def __str__(self) -> str:
        return " ".join(self.parts())


class UsageError(EasyLLMError):
    """The command line, or a call of the library, is wrong."""

    kind = "usage"
    exit_code = 2


class ConfigError(EasyLLMError):
    """A profile, a file or an environment variable is wrong; the file is never rewritten."""

    kind = "config"
    exit_code = 2


class AuthError(EasyLLMError):
    """No key, a wrong key, or no permission."""

    kind = "auth"
    exit_code = 3


class BillingError(EasyLLMError):
    """No credit or quota is left; waiting does not help."""

    kind = "billing"
    exit_code = 3
    hint = "check the account's billing and quota"


class BudgetError(BillingError):
    """The request may cost more than the user's own budget leaves; nothing was sent."""

    kind = "budget"
    is_own = True


class RefusedError(EasyLLMError):
    """The server understood the request and refuses it.

    `location`: the target of a redirect. `parameter`: the field of the request that was refused.
    """

    kind = "refused"
    exit_code = 4
    location: str | None = None
    parameter: str | None = None


class FilteredError(RefusedError):
    """A content filter or a refusal left no text."""

    kind = "filtered"


class NotFoundError(RefusedError):
    """The server knows no such model or path."""

    kind = "not_found"


class TooLargeError(RefusedError):
    """The prompt is longer than the model's context or the server's limit."""

    kind = "too_large"
    hint = "shorten the prompt or choose a model with a larger context"


class BusyError(EasyLLMError):
    """The provider is over a rate limit, overloaded or failing."""

    kind = "busy"
    exit_code = 5
    retryable = True
    hint = "try again later"


class NetworkError(EasyLLMError):
    """The server could not be reached, or closed the connection before the answer."""

    kind = "network"
    exit_code = 6
    retryable = True


class FirstTokenTimeout(NetworkError):
    """The first token did not arrive in time."""

    kind = "timeout"
    hint = "raise timeout.first_token in the profile, or try again"


class IncompleteAnswer(EasyLLMError):
    """The answer was cut, or ended without text."""

    kind = "incomplete"
    exit_code = 7
    retryable = True


class MalformedAnswer(IncompleteAnswer):
    """The response cannot be read as an answer."""

    kind = "malformed"
    retryable = False


class OutputError(EasyLLMError):
    """Output could not be written."""

    kind = "io"
    exit_code = 8
    is_own = True

    @classmethod
    def from_os_error(
        cls, what: str, error: OSError, where: str = "", disk_full_hint: str = "make room"
    ) -> OutputError:
        """An OutputError with the message `what` and the operating system's reason.

        `disk_full_hint`: the hint if a disk, a quota or a file-size limit is full.
        """
        is_full = errno.errorcode.get(error.errno or 0) in ("ENOSPC", "EDQUOT", "EFBIG")
        return cls(
            f"{what}: {error.strerror or error}",
            where=where,
            hint=disk_full_hint if is_full else "",
        )


class SomeFailedError(EasyLLMError):
    """Of several answers some failed; each has an error of its own."""

    kind = "some_failed"
    exit_code = 9


class Interrupted(EasyLLMError):
    """The user or the system stopped the command; exit_code is 143 after SIGTERM."""

    kind = "interrupted"
    exit_code = 130


def error_classes(top: type[EasyLLMError] = EasyLLMError) -> Iterator[type[EasyLLMError]]:
    """An error class and all its subclasses, each class before its subclasses."""
    yield top
    for subclass in top.__subclasses__():
        yield from error_classes(subclass)


def missing_package_error(error: ImportError) -> ConfigError | None:
    """The error for a missing optional package; None if the import failed for another reason."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS or not isinstance(error, ModuleNotFoundError):
        return None
    from .installation import format_install_command  # only on errors: the import costs 15 ms

    return ConfigError(
        f"the package {package} is not installed", hint=format_install_command(EXTRAS[package])
    )


def suggest_name(name: str, known: Mapping[str, Any] | tuple[str, ...] | list[str]) -> str:
    """A hint: `did you mean "x"?` with the up to three closest names, else all known names."""
    from difflib import get_close_matches  # only on errors: the import costs 2 ms

    close = get_close_matches(name, list(known), n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(f'"{name}"' for name in close) + "?"
    return "known: " + ", ".join(known)
