"""How web servers on this computer are run: quiet, without a proxy before them, on sockets that are open already."""

from __future__ import annotations

from starlette.types import ASGIApp
from uvicorn import Config

__all__ = ["web_config"]


def web_config(app: ASGIApp, *, connections_max: int, grace_s: int) -> Config:
    """The configuration of a server on loopback or a unix socket.

    Args:
        grace_s: how long open answers may take when it ends.
    """
    return Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=connections_max,
        timeout_graceful_shutdown=grace_s,
    )
