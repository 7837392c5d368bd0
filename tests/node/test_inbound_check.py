"""The joiner's side of the check: what cannot be checked is said, and nothing of it undoes the join."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import Identity, found_fleet
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.joining import JoinConnection
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import NetworkError
from roosync_p2p.ids import MachineId
from roosync_p2p.node.inbound_check import Inbound, check_inbound
from roosync_p2p.trust.dial_back import DialledBack, decode_dial_back
from tests.helpers.sockets import closed_port, silent_listener

pytestmark = pytest.mark.anyio


class _Issuer:
    """The issuer's end of a conversation; ``report`` None hangs up."""

    def __init__(self, report: bytes | None, *, local: str = "192.0.2.7:50000") -> None:
        self.local = local
        self.on_one_computer = local.startswith("127.")
        self.asked_port = 0
        self._report = report

    async def send(self, message: bytes) -> None:
        """What the joiner says."""
        self.asked_port = decode_dial_back(message).port

    async def receive(self) -> bytes:
        """What the issuer says."""
        if self._report is None:
            raise NetworkError("hung up", code="join_ended")
        return self._report


def _report(outcome: str, host: str = "192.0.2.7") -> bytes:
    return encode(DialledBack(outcome=outcome, host=host))


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    wall_s = read_now().wall_ms // 1000
    return found_fleet(
        tmp_path / "home", fleet_name="Écurie", machine=MachineId("machine-a"), passphrase=None, wall_s=wall_s
    )


async def _checked(tmp_path: Path, identity: Identity, issuer: _Issuer, listen: str | None = None) -> Inbound:
    port = closed_port()
    (tmp_path / "home/settings.toml").write_text(f'[node]\nlisten = "{listen or f"0.0.0.0:{port}"}"\n')
    return await check_inbound(cast("JoinConnection", issuer), Home(tmp_path / "home"), identity, "allow {}".format)


async def test_what_the_issuer_reports_is_what_is_known(tmp_path: Path, identity: Identity) -> None:
    issuer = _Issuer(_report("connected"))
    found = await _checked(tmp_path, identity, issuer)
    assert found == Inbound(outcome="connected", port=issuer.asked_port, seen_as="192.0.2.7")
    assert found.document() | {"port": 0} == {
        "checked": True,
        "reachable": True,
        "outcome": "connected",
        "firewall_rule": None,
        "port": 0,
        "seen_as": "192.0.2.7",
        "message": "",
    }


@pytest.mark.parametrize("outcome", ["refused", "silent", "unanswered"])
async def test_what_a_firewall_may_have_done_comes_with_a_rule_for_that_port(
    tmp_path: Path, identity: Identity, outcome: str
) -> None:
    issuer = _Issuer(_report(outcome))
    found = await _checked(tmp_path, identity, issuer)
    assert (found.outcome, found.firewall_rule) == (outcome, f"allow {issuer.asked_port}")
    assert found.document()["reachable"] is False


@pytest.mark.parametrize(
    ("outcome", "host"), [("rejected", "192.0.2.7"), ("throttled", "192.0.2.7"), ("unanswered", "203.0.113.9")]
)
async def test_where_a_rule_on_this_computer_would_change_nothing_none_is_given(
    tmp_path: Path, identity: Identity, outcome: str, host: str
) -> None:
    found = await _checked(tmp_path, identity, _Issuer(_report(outcome, host)))
    assert (found.outcome, found.seen_as, found.firewall_rule) == (outcome, host, None)
    assert found.document()["reachable"] is False


@pytest.mark.parametrize(("report", "outcome"), [(None, "not_offered"), (b"hello?", "no_report")])
async def test_an_issuer_that_does_not_know_the_question_has_checked_nothing(
    tmp_path: Path, identity: Identity, report: bytes | None, outcome: str
) -> None:
    found = await _checked(tmp_path, identity, _Issuer(report))
    assert found.outcome == outcome
    assert (found.document()["checked"], found.document()["reachable"]) == (False, None)


async def test_a_port_that_is_taken_is_said(tmp_path: Path, identity: Identity) -> None:
    with silent_listener() as address:
        found = await _checked(tmp_path, identity, _Issuer(None), address.replace("127.0.0.1", "0.0.0.0"))
    assert found.outcome == "port_taken"
    assert "is taken by" in found.message
    assert found.document()["checked"] is False


@pytest.mark.parametrize(
    ("listen", "local", "outcome"),
    [
        ("0.0.0.0:0", "192.0.2.7:50000", "no_fixed_port"),
        ("127.0.0.1:47600", "192.0.2.7:50000", "loopback_only"),
        ("[::1]:47600", "192.0.2.7:50000", "loopback_only"),
        ("localhost:47600", "192.0.2.7:50000", "loopback_only"),
        ("0.0.0.0:47600", "127.0.0.1:50000", "same_computer"),
    ],
)
async def test_where_a_dial_would_prove_nothing_nobody_is_asked(
    tmp_path: Path, identity: Identity, listen: str, local: str, outcome: str
) -> None:
    issuer = _Issuer(_report("connected"), local=local)
    found = await _checked(tmp_path, identity, issuer, listen)
    assert (found.outcome, issuer.asked_port) == (outcome, 0)


async def test_settings_that_do_not_parse_are_no_reason_to_fail(tmp_path: Path, identity: Identity) -> None:
    found = await _checked(tmp_path, identity, _Issuer(None), "nowhere")
    assert found.outcome == "bad_setting"
    assert "node.listen" in found.message
