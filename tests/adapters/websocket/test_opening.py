"""Addresses as people and peers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.adapters.websocket.opening import split_address
from roosync_p2p.errors import MalformedError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:47600", ("127.0.0.1", 47600)),
        ("myia-po-2023.lan:1", ("myia-po-2023.lan", 1)),
        ("wss://203.0.113.7:47600", ("203.0.113.7", 47600)),
        ("wss://203.0.113.7:47600/", ("203.0.113.7", 47600)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
    ],
)
def test_an_address_is_split_into_host_and_port(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host",
        "host:",
        ":1",
        "host:0",
        "host:65536",
        "::1:80",
        "ho st:80",
        "host:80\r\nX: y",
        "http://h:80",
        "h:８０",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(MalformedError) as caught:
        split_address(address)
    assert caught.value.code == "bad_address"


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_malformed(text: str) -> None:
    """Accepted with a port in range and a host without control characters, or MalformedError."""
    try:
        host, port = split_address(text)
    except MalformedError:
        return
    assert 0 < port < 65536
    assert host.isprintable()
    assert " " not in host
