"""Clocks, randomness, names, and who holds a port."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from roosync_p2p.adapters.system import (
    find_holder_command,
    host_name,
    listening_inodes,
    port_holder,
    read_now,
    seed_entropy,
)

_PROC_NET_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:B9F0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:B9F0 0100007F:9000 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0
"""


def test_only_listening_sockets_of_the_port_count() -> None:
    assert listening_inodes(_PROC_NET_TCP, 0xB9F0) == {"4711"}
    assert listening_inodes(_PROC_NET_TCP, 22) == {"99"}
    assert listening_inodes(_PROC_NET_TCP, 23) == frozenset()
    assert listening_inodes("", 23) == frozenset()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, which Linux alone has")
def test_the_holder_of_a_port_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        holder = port_holder(listener.getsockname()[1])
    assert holder is not None
    assert holder.pid == os.getpid()
    assert str(os.getpid()) in str(holder)


def test_a_holder_that_cannot_be_found_is_none(tmp_path: Path) -> None:
    assert port_holder(1, platform="win32") is None
    assert port_holder(1, platform="linux", proc=tmp_path) is None


@pytest.mark.parametrize(
    ("platform", "word"), [("win32", "Get-NetTCPConnection"), ("darwin", "lsof"), ("linux", "ss ")]
)
def test_each_platform_has_a_command_that_finds_the_holder(platform: str, word: str) -> None:
    command = find_holder_command(platform, 47600)
    assert word in command
    assert "47600" in command


def test_clocks_go_forward_and_seeds_differ() -> None:
    first, second = read_now(), read_now()
    assert second.monotonic_s >= first.monotonic_s
    assert first.wall_ms > 1_700_000_000_000
    assert seed_entropy().bytes(16) != seed_entropy().bytes(16)
    assert host_name()
    assert "." not in host_name()
