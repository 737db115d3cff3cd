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
from ..transport.network import NetworkSettings

# Where the request can go wrong, in the order of its way.
PROBE_STAGES = ("proxy", "name", "tls", "server", "access")


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


def finding_from_error(error: EasyLLMError) -> Finding:
    """A finding that is not ok."""
    where = f" ({error.where})" if error.where else ""
    return Finding(False, error.what + where, error.hint, error=error)


class Probe:
    """A provider that is looked at; `found` and `failure` are what its one request ended with."""

    def __init__(self, provider: BaseLLMProvider) -> None:
        self.provider = provider.per_answer_copy()
        self.profile = provider.profile
        self.http_provider = self.provider if isinstance(self.provider, HTTPProvider) else None
        url = (
            self.http_provider.endpoint.url
            if self.http_provider and not provider.models_note
            else ""
        )
        self.network_settings = NetworkSettings(self.profile, url)
        self.url_parts = urlsplit(url)
        self.model_ids: list[str] | None = None
        self.failure: EasyLLMError | None = None

    async def require(self, stage: str) -> None:
        """Send the request, once.

        Raises:
            EasyLLMError: it went wrong at this place of PLACES.
        """
        if self.model_ids is None:
            self.model_ids = []
            try:
                self.model_ids = await self.provider.list_models()
                await self.provider.check_key()
            except EasyLLMError as error:
                self.failure = error
        if self.failure is not None and self._stage_from_error(self.failure) == stage:
            raise self.failure

    def _stage_from_error(self, error: EasyLLMError) -> str:
        """Where on its way the request went wrong."""
        if isinstance(error, NetworkError | ConfigError) and error.code in PROBE_STAGES:
            # Behind a proxy it is the proxy's name that we look up; the server's is its business.
            return (
                "proxy" if error.code == "name" and self.network_settings.proxy else str(error.code)
            )
        if isinstance(error, NetworkError) and error.code in ("refused", "connect"):
            return "proxy" if self.network_settings.proxy else "server"
        return "access" if isinstance(error, AuthError | BillingError) else "server"
