"""``roosync-admin renew`` and ``rotate``, through the running node (docs/protocol/trust.md §8 and §10)."""

from __future__ import annotations

from roosync_p2p.adapters.home import Home
from roosync_p2p.admin.office import ask_node
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.errors import NotRunningError

__all__ = ["renew_certificate", "rotate_key"]


def renew_certificate(home: Home, at: str | None) -> JsonObject:
    """This machine's next certificate.

    Raises:
        NotRunningError: no node runs here; the one that does renews by itself.
        NetworkError: no issuer answered.
        RoosyncError: it refused.
    """
    document = ask_node(home, lambda client: client.renew_certificate(at))
    if document is None:
        raise NotRunningError(
            f"no node runs at {home.path}; nothing was renewed",
            remedy="start it with `roosync up`: it renews a certificate that has run out by itself",
        )
    return document


def rotate_key(home: Home) -> JsonObject:
    """Another key for this machine.

    Raises:
        NotRunningError: no node runs here.
        NetworkError: no issuer certified it; the old key goes on.
        RoosyncError: the node refused.
    """
    document = ask_node(home, lambda client: client.rotate_key())
    if document is None:
        raise NotRunningError(
            f"no node runs at {home.path}; its key stays",
            remedy="start it with `roosync up`: an issuer certifies the new key, and the others have to hear of it",
        )
    return document
