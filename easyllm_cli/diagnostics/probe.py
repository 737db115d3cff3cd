"""Patient: a provider that is looked at, and the one request that tells how far it comes.

The request, for the model list, is sent as every other is: the error that it ends with says what
is wrong, so nothing here looks up names, shakes hands or reads certificates a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import AuthError, BillingError, ConfigError, EasyLLMError, NetworkError
from ..providers.base import BaseLLMProvider
from ..providers.http import HTTPProvider
from ..transport.network import Route

# Where the request can go wrong, in the order of its way.
PLACES = ("proxy", "name", "tls", "server", "access")


@dataclass(frozen=True, eq=False, repr=False)
class Finding:
    """One line of a report; `ok` None = it does not apply, or nothing is known about it.

    `ms_first_token`: milliseconds, of a call alone. `error`: why it is not ok.
    """

    ok: bool | None
    message: str
    hint: str = ""
    ms_first_token: int | None = None
    error: EasyLLMError | None = None
    name: str = ""


def failed(error: EasyLLMError) -> Finding:
    """A finding that is not ok."""
    where = f" ({error.where})" if error.where else ""
    return Finding(False, error.what + where, error.hint, error=error)


class Patient:
    """A provider that is looked at; `found` and `failure` are what its one request ended with."""

    def __init__(self, provider: BaseLLMProvider) -> None:
        self.provider = provider.for_one_answer()
        self.profile = provider.profile
        self.wire = self.provider if isinstance(self.provider, HTTPProvider) else None
        url = self.wire.endpoint.url if self.wire and not provider.models_note else ""
        self.route = Route(self.profile, url)
        self.parts = urlsplit(url)
        self.found: list[str] | None = None
        self.failure: EasyLLMError | None = None

    async def passes(self, place: str) -> None:
        """Send the request, once.

        Raises:
            EasyLLMError: it went wrong at this place of PLACES.
        """
        if self.found is None:
            self.found = []
            try:
                self.found = await self.provider.list_models()
                await self.provider.try_key()
            except EasyLLMError as error:
                self.failure = error
        if self.failure is not None and self._place(self.failure) == place:
            raise self.failure

    def _place(self, error: EasyLLMError) -> str:
        """Where on its way the request went wrong."""
        if isinstance(error, NetworkError | ConfigError) and error.code in PLACES:
            # Behind a proxy it is the proxy's name that we look up; the server's is its business.
            return "proxy" if error.code == "name" and self.route.proxy else str(error.code)
        if isinstance(error, NetworkError) and error.code in ("refused", "connect"):
            return "proxy" if self.route.proxy else "server"
        return "access" if isinstance(error, AuthError | BillingError) else "server"
