"""``roosync join`` says whether others can connect to the new machine: with a firewall, without, behind a router."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest

from roosync_p2p.adapters.firewall import this_allow_command
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import Fleet, Machine
from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

_PORT: Final = 47600
_numbers = itertools.count(1)

# What a distribution's manual proposes: nobody is let in who was not asked.
_FIREWALL: Final = """
add table inet filter;
add chain inet filter input {{ type filter hook input priority 0; policy accept; }};
add rule inet filter input ct state established,related accept;
add rule inet filter input tcp dport {port} counter {verdict};
"""
# What a router does that stands between the two: the issuer sees another address.
_ROUTER: Final = """
add table ip router;
add chain ip router out {{ type nat hook postrouting priority 100; policy accept; }};
add rule ip router out oifname eth0 counter snat to {address};
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(2) as lab:
        yield lab


@pytest.fixture(scope="module")
def fleet(lab: Lab) -> Iterator[Fleet]:
    with Fleet() as fleet:
        alice = fleet.add("alice", listen=f"0.0.0.0:{_PORT}", wrap=lambda argv: lab.argv(0, argv))
        alice.admin("init", "--machine", "alice", "--no-passphrase")
        alice.start()
        alice.until_ready()
        yield fleet


@pytest.fixture(autouse=True)
def without_rules(lab: Lab) -> Iterator[None]:
    yield
    lab.check_output(1, ["nft", "flush ruleset;"])


def _joiner(fleet: Fleet, lab: Lab) -> tuple[Machine, str]:
    """A new machine on the second computer, and a code for it."""
    machine = fleet.add(f"joiner-{next(_numbers)}", wrap=lambda argv: lab.argv(1, argv))
    return machine, fleet.machines["alice"].admin("invite", machine.name).strip()


def _joined(fleet: Fleet, lab: Lab) -> dict[str, Any]:
    machine, code = _joiner(fleet, lab)
    inbound: dict[str, Any] = machine.json("join", code)["inbound"]
    return inbound


def _firewall(lab: Lab, verdict: str) -> None:
    lab.check_output(1, ["nft", _FIREWALL.format(port=_PORT, verdict=verdict)])


def test_where_nothing_blocks_inbound_connections_work(fleet: Fleet, lab: Lab) -> None:
    inbound = _joined(fleet, lab)
    assert (inbound["checked"], inbound["reachable"], inbound["outcome"]) == (True, True, "connected")
    assert inbound["firewall_rule"] is None
    machine, code = _joiner(fleet, lab)
    assert f"inbound connections to port {_PORT} work: alice connected" in machine.run("join", code).stdout


@pytest.mark.parametrize(("verdict", "outcome"), [("drop", "unanswered"), ("reject with tcp reset", "refused")])
def test_a_firewall_is_noticed_and_the_rule_that_is_shown_opens_it(
    fleet: Fleet, lab: Lab, verdict: str, outcome: str
) -> None:
    _firewall(lab, verdict)
    inbound = _joined(fleet, lab)
    assert (inbound["checked"], inbound["reachable"], inbound["outcome"]) == (True, False, outcome)
    assert inbound["firewall_rule"] == this_allow_command(_PORT)
    machine, code = _joiner(fleet, lab)
    shown = machine.run("join", code).stdout
    assert "it works all the same, because it dials out" in shown
    assert f"to allow it, run: {inbound['firewall_rule']}" in shown
    if "nft" not in inbound["firewall_rule"]:
        pytest.skip("this computer's own firewall is another than the one of the lab")
    lab.check_output(1, ["sh", "-c", inbound["firewall_rule"]])
    assert _joined(fleet, lab)["outcome"] == "connected"


@by_hand
def test_a_machine_that_cannot_be_reached_joins_and_links_all_the_same(fleet: Fleet, lab: Lab) -> None:
    _firewall(lab, "drop")
    machine, code = _joiner(fleet, lab)
    assert machine.json("join", code)["inbound"]["reachable"] is False
    machine.start(listen=f"0.0.0.0:{_PORT}")
    machine.until_state("alice", "online")
    machine.stop()


@by_hand
def test_behind_a_router_no_rule_of_this_computer_is_proposed(fleet: Fleet, lab: Lab) -> None:
    outside = lab.address(1).rpartition(".")[0] + ".99"
    lab.check_output(1, ["ip", "address", "add", f"{outside}/24", "dev", "eth0"])
    lab.check_output(1, ["nft", _ROUTER.format(address=outside)])
    _firewall(lab, f"ip daddr {outside} drop")
    inbound = _joined(fleet, lab)
    assert (inbound["reachable"], inbound["seen_as"], inbound["firewall_rule"]) == (False, outside, None)
    machine, code = _joiner(fleet, lab)
    assert f"alice sees it as {outside}" in machine.run("join", code).stdout
    lab.check_output(1, ["ip", "address", "del", f"{outside}/24", "dev", "eth0"])


def test_a_port_that_is_taken_is_said_and_the_machine_has_joined(fleet: Fleet, lab: Lab) -> None:
    program = f"import socket,time;s=socket.create_server(('0.0.0.0',{_PORT}));print('up',flush=True);time.sleep(60)"
    holder = lab.run(1, [sys.executable, "-I", "-S", "-c", program], stdout=-1, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    try:
        inbound = _joined(fleet, lab)
        assert (inbound["checked"], inbound["reachable"], inbound["outcome"]) == (False, None, "port_taken")
        machine, code = _joiner(fleet, lab)
        shown = machine.run("join", code).stdout
        assert f"was not checked: port {_PORT} is taken by" in shown
        assert f"{machine.name} is a member now" in shown
    finally:
        holder.kill()
        holder.wait()


def test_french_readers_read_it_in_french(fleet: Fleet, lab: Lab) -> None:
    _firewall(lab, "drop")
    machine, code = _joiner(fleet, lab)
    machine.home.mkdir(mode=0o700)
    (machine.home / "settings.toml").write_text('[ui]\nlanguage = "fr"\n', encoding="utf-8")
    shown = machine.run("join", code).stdout
    assert "elle fonctionne quand même, car elle appelle les autres" in shown
    assert "pour l'autoriser, exécutez : " in shown
