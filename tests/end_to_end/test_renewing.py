"""Certificates renew themselves: over links while they are valid, on the joining path once they ran out."""

from __future__ import annotations

from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until

DAY_S = 24 * 3600


def _until(machine: Machine) -> str:
    shown = machine.json("show", tool=ADMIN)["certificates"]
    leaf = next(one for one in shown if one["kind"] == "machine")
    return str(leaf["not_after"])


def test_a_certificate_past_two_thirds_of_its_life_is_renewed_over_a_link_without_a_restart() -> None:
    with Fleet.found("alice") as fleet:
        berta = fleet.add("berta")
        fleet.admit(berta, ago_s=250 * DAY_S)
        before = _until(berta)
        alice, berta = fleet.start_all()
        until(lambda: _until(berta) > before, 30, what="berta's certificate is renewed", shown=fleet.report)
        fleet.until_linked()
        pid = berta.pid
        # Later links show the new one: alice knows it after a new link at the latest.
        alice.stop()
        alice.start("--peer", berta.listen)
        fleet.until_linked()
        assert berta.pid == pid
        shown = alice.json("show", "berta", tool=ADMIN)["certificates"]
        assert shown[0]["not_after"] == _until(berta)


def test_a_certificate_that_ran_out_is_renewed_on_the_joining_path() -> None:
    with Fleet.found("alice", "clara") as fleet:
        berta = fleet.add("berta")
        fleet.admit(berta, ago_s=400 * DAY_S)
        before = _until(berta)
        alice = fleet.machines["alice"]
        alice.start()
        berta.start()
        refused = berta.refusal("renew", tool=ADMIN)
        assert refused["code"] == "no_issuer_answered"
        renewed = berta.json("renew", "--at", alice.listen, tool=ADMIN)
        assert renewed["not_after"] > before
        assert _until(berta) == renewed["not_after"]
        berta.kill()
        berta.start("--peer", alice.listen)
        fleet.until_linked()


@by_hand
def test_it_renews_by_itself_as_soon_as_an_issuer_can_be_asked() -> None:
    with Fleet.found("alice") as fleet:
        berta = fleet.add("berta")
        fleet.admit(berta, ago_s=400 * DAY_S)
        before = _until(berta)
        fleet.start_all()
        until(lambda: _until(berta) > before, 40, what="berta's certificate is renewed", shown=fleet.report)
        fleet.until_linked()


def test_renewing_now_gives_a_certificate_that_lasts_no_shorter() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        before = _until(berta)
        assert berta.json("renew", tool=ADMIN)["not_after"] >= before
        assert alice.json("renew", tool=ADMIN)["machine"] == "alice"
        assert berta.run("renew", tool=ADMIN).stdout.startswith("berta has a certificate until")
