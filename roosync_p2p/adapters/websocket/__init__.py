"""Links over websockets, TLS 1.3 and TCP (docs/protocol/links.md)."""

from roosync_p2p.adapters.websocket.admission import RateLimiter
from roosync_p2p.adapters.websocket.counters import TransportCounters
from roosync_p2p.adapters.websocket.joining import JoinConnection, JoinHandler, connect_join
from roosync_p2p.adapters.websocket.link import Throttle
from roosync_p2p.adapters.websocket.tls import TlsIdentity
from roosync_p2p.adapters.websocket.transport import WebsocketTransport

__all__ = [
    "JoinConnection",
    "JoinHandler",
    "RateLimiter",
    "Throttle",
    "TlsIdentity",
    "TransportCounters",
    "WebsocketTransport",
    "connect_join",
]
