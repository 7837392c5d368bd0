"""The options of a link's socket, by platform."""

from __future__ import annotations

import socket
import sys

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.socket_options import connect_timeout_s, link_options, set_link_options


def test_linux_keeps_a_thin_stream_alive_under_loss() -> None:
    options = link_options("linux")
    assert (6, 16, 1) in options  # TCP_THIN_LINEAR_TIMEOUTS
    assert (6, 17, 1) in options  # TCP_THIN_DUPACK
    assert (6, 18, 10_000) in options  # TCP_USER_TIMEOUT


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "freebsd14"])
def test_every_platform_sends_at_once(platform: str) -> None:
    assert (6, 1, 1) in link_options(platform)


def test_the_numbers_are_those_of_this_platform() -> None:
    named = {
        name: getattr(socket, name)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        if hasattr(socket, name)
    }
    ours = {option for _level, option, _value in link_options(sys.platform)}
    known = {number for name, number in named.items() if name != "TCP_KEEPALIVE" or sys.platform == "darwin"}
    assert known <= ours | {1}
    assert socket.IPPROTO_TCP == 6
    assert socket.TCP_NODELAY == 1


def test_windows_waits_longer_because_it_repeats_a_refused_syn() -> None:
    assert connect_timeout_s("linux") == limits.CONNECT_TIMEOUT_S
    assert connect_timeout_s("win32") > limits.CONNECT_TIMEOUT_S


def test_what_a_platform_does_not_know_is_counted_and_not_fatal() -> None:
    with socket.socket() as raw:
        assert set_link_options(raw, sys.platform) == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        assert set_link_options(raw, sys.platform) > 0
