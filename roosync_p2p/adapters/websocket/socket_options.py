"""Socket options of a link, one table for each platform (docs/protocol/links.md §1).

A link is a thin stream: one small heartbeat a second. TCP's exponential back-off turns 20 % loss into silences of many
seconds on such a stream, so Linux is asked for linear timeouts. Options that a platform's Python does not name are
given by number and set on that platform only. The listener's own option, exclusive use of its port on Windows, is set
by anyio when it binds.
"""

from __future__ import annotations

import socket
from typing import Final

from roosync_p2p import limits

__all__ = ["connect_timeout_s", "link_options", "set_link_options"]

# A connection is dead after ten seconds without an answer, whether it had data to send or not. Linux applies its user
# timeout to keepalive probes too: with the usual long idle time, one lost probe would end an idle link. So probes begin
# early and are many; a link with a heartbeat a second never sends one.
_KEEPALIVE_IDLE_S: Final = 3
_KEEPALIVE_INTERVAL_S: Final = 1
_KEEPALIVE_COUNT: Final = 7
_USER_TIMEOUT_MS: Final = 10_000

_TCP: Final = 6  # IPPROTO_TCP everywhere
_NODELAY: Final = 1  # everywhere

# include/uapi/linux/tcp.h
_LINUX: Final = {
    "TCP_KEEPIDLE": 4,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 6,
    "TCP_THIN_LINEAR_TIMEOUTS": 16,
    "TCP_THIN_DUPACK": 17,
    "TCP_USER_TIMEOUT": 18,
}
# xnu bsd/netinet/tcp.h
_DARWIN: Final = {"TCP_KEEPALIVE": 0x10, "TCP_KEEPINTVL": 0x101, "TCP_KEEPCNT": 0x102}
# ws2ipdef.h, Windows 10 1709 and later
_WINDOWS: Final = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 17, "TCP_KEEPCNT": 16}


def link_options(platform: str) -> tuple[tuple[int, int, int], ...]:
    """The options for ``sys.platform`` as (level, option, value); keepalive itself is switched on apart."""
    if platform.startswith("linux"):
        return (
            (_TCP, _NODELAY, 1),
            (_TCP, _LINUX["TCP_KEEPIDLE"], _KEEPALIVE_IDLE_S),
            (_TCP, _LINUX["TCP_KEEPINTVL"], _KEEPALIVE_INTERVAL_S),
            (_TCP, _LINUX["TCP_KEEPCNT"], _KEEPALIVE_COUNT),
            (_TCP, _LINUX["TCP_THIN_LINEAR_TIMEOUTS"], 1),
            (_TCP, _LINUX["TCP_THIN_DUPACK"], 1),
            (_TCP, _LINUX["TCP_USER_TIMEOUT"], _USER_TIMEOUT_MS),
        )
    if platform == "darwin":
        return (
            (_TCP, _NODELAY, 1),
            (_TCP, _DARWIN["TCP_KEEPALIVE"], _KEEPALIVE_IDLE_S),
            (_TCP, _DARWIN["TCP_KEEPINTVL"], _KEEPALIVE_INTERVAL_S),
            (_TCP, _DARWIN["TCP_KEEPCNT"], _KEEPALIVE_COUNT),
        )
    if platform == "win32":
        return (
            (_TCP, _NODELAY, 1),
            (_TCP, _WINDOWS["TCP_KEEPIDLE"], _KEEPALIVE_IDLE_S),
            (_TCP, _WINDOWS["TCP_KEEPINTVL"], _KEEPALIVE_INTERVAL_S),
            (_TCP, _WINDOWS["TCP_KEEPCNT"], _KEEPALIVE_COUNT),
        )
    return ((_TCP, _NODELAY, 1),)


def connect_timeout_s(platform: str) -> float:
    """How long a dial waits for TCP. Windows repeats a refused SYN twice, half a second apart, before it says so."""
    return limits.CONNECT_TIMEOUT_S + (1.0 if platform == "win32" else 0.0)


def set_link_options(raw: socket.socket, platform: str) -> int:
    """Sets what the platform knows; how many options it refused (an old kernel: the link works without)."""
    refused = 0
    for level, option, value in ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *link_options(platform)):
        try:
            raw.setsockopt(level, option, value)
        except OSError:
            refused += 1
    return refused
