"""Computers on one Ethernet: network namespaces with veth pairs on a bridge (Linux, root).

Every computer has ``eth0`` with an address of 10.77.x.0/24, a loopback, and counted packet filters. A fault is asserted
to be active where it is made; what it drops is counted by nftables. Names are unique to the process, and everything is
removed at the end, also after an exception.

    with Lab(3) as lab:
        node = lab.run(0, ["roosync", "up"])
        lab.loss(1, 20)
        ...
        assert lab.dropped(1) > 100
        lab.heal(1)
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["Lab", "netlab_missing"]

_TABLE: Final = "netlab"
_COMMAND_TIMEOUT_S: Final = 20.0
_numbers = itertools.count(1)


def netlab_missing() -> str:
    """Why no lab can be built here, or an empty string."""
    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"the command {tool} is not installed"
    probe = f"probe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces are not permitted here: {made.stderr.strip()}"
    _command("ip", "netns", "del", probe)
    return ""


class Lab:
    """``count`` computers on one bridge; number 0 to ``count - 1``.

    The bridge is in a namespace of its own, so the host's network is not touched. Computers reach each other as soon
    as the constructor's ``with`` is entered: there is no spanning tree to wait for.
    """

    def __init__(self, count: int) -> None:
        assert 1 <= count <= 200
        self.count: Final = count
        number = next(_numbers)
        self._prefix: Final = f"rl{os.getpid()}x{number}"
        self._net: Final = (os.getpid() + number) % 250 + 1
        self._switch: Final = f"{self._prefix}sw"
        self._processes: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- using the computers --------------------------------------------------------------------------------------

    def address(self, number: int) -> str:
        """The computer's IPv4 address."""
        assert 0 <= number < self.count
        return f"10.77.{self._net}.{number + 1}"

    def namespace(self, number: int) -> str:
        """The name of the computer's network namespace, as ``ip netns`` knows it."""
        assert 0 <= number < self.count
        return f"{self._prefix}n{number}"

    def argv(self, number: int, argv: Sequence[str]) -> list[str]:
        """The command that runs ``argv`` on a computer; its process id is that of ``argv`` itself."""
        return ["ip", "netns", "exec", self.namespace(number), *argv]

    def run(self, number: int, argv: Sequence[str], **popen: Any) -> subprocess.Popen[Any]:
        """Starts a program on a computer; it is killed when the lab is closed. ``popen`` goes to the constructor."""
        process = subprocess.Popen(self.argv(number, argv), **popen)
        self._processes.append(process)
        return process

    def check_output(self, number: int, argv: Sequence[str], *, timeout_s: float = _COMMAND_TIMEOUT_S) -> str:
        """Runs a program to its end; its standard output.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        done = subprocess.run(self.argv(number, argv), capture_output=True, text=True, check=True, timeout=timeout_s)
        return done.stdout

    def reaches(self, source: int, target: int) -> bool:
        """Whether a packet and its answer get through now: by ARP and a TCP port where nobody listens."""
        program = (
            "import socket,sys\n"
            "s=socket.socket(); s.settimeout(0.7)\n"
            "try: s.connect((sys.argv[1], 9)); print('open')\n"
            "except ConnectionRefusedError: print('refused')\n"
            "except OSError as e: print('lost', e)\n"
        )
        answer = self.check_output(source, [sys.executable, "-I", "-S", "-c", program, self.address(target)])
        return not answer.startswith("lost")

    # --- faults ---------------------------------------------------------------------------------------------------

    def loss(self, number: int, percent: int) -> None:
        """Drops so many of a hundred packets that come in and, again, that go out, at random."""
        assert 0 < percent < 100
        self.heal(number)
        rule = f"numgen random mod 100 < {percent} counter drop"
        self._rules(number, incoming=rule, outgoing=rule)

    def cut(self, number: int, *, incoming: bool = True, outgoing: bool = True, peer: int | None = None) -> None:
        """Drops everything, or one direction, or what comes from or goes to one peer; the carrier stays up."""
        self.heal(number)
        source = f"ip saddr {self.address(peer)} " if peer is not None else ""
        target = f"ip daddr {self.address(peer)} " if peer is not None else ""
        self._rules(
            number,
            incoming=f"{source}counter drop" if incoming else "",
            outgoing=f"{target}counter drop" if outgoing else "",
        )
        for other in [peer] if peer is not None else [n for n in range(self.count) if n != number][:1]:
            before = self.dropped(number)
            assert not self.reaches(number, other), "the cut is not active"
            assert self.dropped(number) > before, "the cut drops nothing"

    def lets_nobody_in(self, number: int) -> None:
        """A firewall that drops every new TCP connection from outside; what the computer dials itself goes on."""
        self.heal(number)
        self._rules(number, incoming="tcp flags & (syn | ack) == syn counter drop", outgoing="")
        other = next(n for n in range(self.count) if n != number)
        assert not self.reaches(other, number), "the firewall lets connections in"
        assert self.dropped(number) > 0, "the firewall drops nothing"
        assert self.reaches(number, other), "the firewall keeps its own computer in"

    def unplug(self, number: int, *, carrier: bool = False) -> None:
        """Takes the computer off the bridge; with ``carrier`` its own link stays up, as behind a dead switch."""
        action = ["nomaster"] if carrier else ["down"]
        self._in_switch("ip", "link", "set", self._port(number), *action)
        assert self.count == 1 or not self.reaches(number, (number + 1) % self.count), "the cable is still in"

    def heal(self, number: int) -> None:
        """Ends every fault of a computer; its counters start anew."""
        self._in_computer(number, "nft", f"add table inet {_TABLE}; delete table inet {_TABLE};")
        self._in_switch("ip", "link", "set", self._port(number), "master", "br0", "up")

    def dropped(self, number: int) -> int:
        """Packets dropped by the computer's filters since the last fault was set; 0 without a fault."""
        listed = json.loads(self.check_output(number, ["nft", "-j", "list", "ruleset"]))
        counters = [
            expression["counter"]["packets"]
            for item in listed["nftables"]
            if "rule" in item and item["rule"]["table"] == _TABLE
            for expression in item["rule"]["expr"]
            if "counter" in expression
        ]
        return sum(counters)

    # --- life -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Kills every program and removes every namespace; safe to call again."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_COMMAND_TIMEOUT_S)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self._processes.clear()
        existing = {path.name for path in Path("/run/netns").glob(f"{self._prefix}*")}
        for name in existing:
            self._kill_stragglers(name)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _build(self) -> None:
        _command("ip", "netns", "add", self._switch)
        self._in_switch("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self._in_switch("ip", "link", "set", "br0", "up")
        for number in range(self.count):
            name = self.namespace(number)
            _command("ip", "netns", "add", name)
            self._in_switch(
                "ip", "link", "add", self._port(number), "type", "veth", "peer", "name", "eth0", "netns", name
            )
            self._in_switch("ip", "link", "set", self._port(number), "master", "br0", "up")
            self._in_computer(number, "ip", "link", "set", "lo", "up")
            self._in_computer(number, "ip", "address", "add", f"{self.address(number)}/24", "dev", "eth0")
            self._in_computer(number, "ip", "link", "set", "eth0", "up")
            self._in_computer(number, "ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
        if self.count > 1:
            assert self.reaches(0, self.count - 1), "the lab's computers do not reach each other"

    def _rules(self, number: int, *, incoming: str, outgoing: str) -> None:
        chains = "".join(
            f"add chain inet {_TABLE} {hook} {{ type filter hook {hook} priority 0; policy accept; }};\n"
            f"add rule inet {_TABLE} {hook} {'iifname' if hook == 'input' else 'oifname'} eth0 {rule};\n"
            for hook, rule in (("input", incoming), ("output", outgoing))
            if rule
        )
        self._in_computer(number, "nft", f"add table inet {_TABLE};\n{chains}")
        installed = self.check_output(number, ["nft", "list", "table", "inet", _TABLE])
        wanted = bool(incoming) + bool(outgoing)
        assert installed.count("drop") == wanted, f"nft did not install the rules:\n{installed}"

    def _port(self, number: int) -> str:
        return f"port{number}"

    def _in_switch(self, *argv: str) -> None:
        _command("ip", "netns", "exec", self._switch, *argv)

    def _in_computer(self, number: int, *argv: str) -> None:
        _command("ip", "netns", "exec", self.namespace(number), *argv)

    def _kill_stragglers(self, namespace: str) -> None:
        """What a program left behind in its namespace, by the process ids that the kernel names."""
        listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
        for pid in listed.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)


def _command(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_COMMAND_TIMEOUT_S)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip()}"
