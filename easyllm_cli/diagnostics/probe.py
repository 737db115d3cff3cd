"""Sends one ordinary model-list request; its error tells the stage at which it failed.

The request takes the same path as every other, so its error names the cause: nothing here resolves
names, opens connections or reads certificates itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import AuthError, BillingError, ConfigError, EasyLLMError, NetworkError
from ..providers.base import BaseLLMProvider
from ..providers.http import HTTPProvider
from ..transport.network import NetworkSettings

# The stages at which the request can fail, in order.
PROBE_STAGES = ("proxy", "name", "tls", "server", "access")


@dataclass(frozen=True, eq=False, repr=False)
class Finding:
    """The result of one check; `ok` None = it does not apply, or the answer is not known.

    `ms_first_token`: milliseconds, only of the check `call`. `error`: why it failed. `text`: what
    people read instead of the message. `lacking`: the model has not got it, which is no failure.
    """

    ok: bool | None
    message: str
    hint: str = ""
    ms_first_token: int | None = None
    error: EasyLLMError | None = None
    name: str = ""
    text: str = ""
    lacking: bool = False


def finding_from_error(error: EasyLLMError) -> Finding:
    """The finding of a failed check."""
    where = f" ({error.where})" if error.where else ""
    return Finding(False, error.what + where, error.hint, error=error)


class Probe:
    """A provider under test; `model_ids` or `failure` is the result of its one request."""

    def __init__(self, provider: BaseLLMProvider) -> None:
        self.provider = provider.per_answer_copy()
        self.profile = provider.profile
        self.http_provider = self.provider if isinstance(self.provider, HTTPProvider) else None
        url = ""  # of a provider that sends the request by itself
        if self.http_provider and (
            self.http_provider.vendor.models_note or not provider.models_note
        ):
            url = self.http_provider.endpoint.url
        self.network_settings = NetworkSettings(self.profile, url)
        self.url_parts = urlsplit(url)
        self.model_ids: list[str] | None = None
        self.failure: EasyLLMError | None = None
        self.rate_limit_headers: Mapping[str, str] = {}  # of the answer of the check `call`

    async def require(self, stage: str) -> None:
        """Send the request, unless it was sent before, and require that this stage passed.

        Raises:
            EasyLLMError: it failed at this stage of PROBE_STAGES.
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
        """The stage at which the request failed."""
        if isinstance(error, NetworkError | ConfigError) and error.code in PROBE_STAGES:
            # With a proxy only the proxy's name is resolved here; the proxy resolves the server's.
            return (
                "proxy" if error.code == "name" and self.network_settings.proxy else str(error.code)
            )
        if isinstance(error, NetworkError) and error.code in ("refused", "connect"):
            return "proxy" if self.network_settings.proxy else "server"
        return "access" if isinstance(error, AuthError | BillingError) else "server"
