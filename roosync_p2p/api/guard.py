"""Who may speak to the API at all: the outermost layer, before any route (docs/protocol/api.md §2).

A web page in the user's browser can reach 127.0.0.1: by a request of its own (it carries an Origin) or by a name that
it rebinds to that address (it carries that name as Host). Neither knows the token; both are refused before it is
looked at, so nothing can be learned from the answer.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from roosync_p2p.api.answers import problem_response
from roosync_p2p.errors import InputFault, RoosyncError

__all__ = ["Guard"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REMEDY = "take the token from api.json in the node's home; it changes at every start"


class Guard:
    """Lets through what comes with a loopback Host, no foreign Origin, and the token; ``remedy``: where that is."""

    def __init__(self, app: ASGIApp, *, token: str, remedy: str = _REMEDY) -> None:
        self._app = app
        self._remedy = remedy
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(refusal)(scope, receive, send)

    def _refusal(self, headers: Headers) -> RoosyncError | None:
        host = headers.get("host", "")
        if _host_name(host) not in _LOOPBACK:
            return InputFault(f"the API answers to localhost, not to {host[:80]!r}", code="forbidden_host")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return InputFault(f"web pages of {origin[:80]!r} may not use the API", code="forbidden_origin")
        given = headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._expected):
            return InputFault(
                "the token is missing or wrong",
                code="unauthorized",
                remedy=self._remedy,
            )
        return None


def _host_name(host: str) -> str:
    """The Host header without its port, lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
