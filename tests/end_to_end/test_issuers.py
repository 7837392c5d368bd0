"""A second issuer: made by the root, admits while the first is off, and is let go again."""

from __future__ import annotations

from tests.helpers.fleet import ADMIN, Fleet, until


def test_a_second_issuer_admits_renews_and_revokes_while_the_first_is_off() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        assert berta.refusal("invite", "dora", tool=ADMIN)["code"] == "not_an_issuer"

        request, answer = str(fleet.path / "request.pem"), str(fleet.path / "answer.pem")
        berta.run("issuer", "request", "--out", request, tool=ADMIN)
        added = alice.json("issuer", "add", request, "--out", answer, tool=ADMIN)
        assert added["roles"] == ["issuer", "member"]
        assert berta.json("issuer", "install", answer, tool=ADMIN) == {"machine": "berta", "is_issuer": True}
        berta.stop()
        berta.start("--peer", alice.listen, "--peer", clara.listen)
        fleet.until_linked()

        # While the first is off: dora is admitted by the second, and clara, known before, is renewed and put out by it.
        alice.stop()
        dora = fleet.add("dora")
        code = berta.json("invite", "dora", tool=ADMIN)["code"]
        dora.json("join", code, "--machine", "dora")
        dora.start("--peer", berta.listen, "--peer", clara.listen)
        until(lambda: clara.states().get("dora") == "online", 30, what="clara knows dora", shown=fleet.report)
        assert clara.json("renew", tool=ADMIN)["machine"] == "clara"
        berta.json("revoke", "clara", "--yes", tool=ADMIN)
        until(lambda: "clara" not in dora.states(), 10, what="dora hears of it", shown=fleet.report)

        # The root lets the second go: nobody takes anything new from its issuer key. Whom it let in stays.
        alice.start("--peer", berta.listen, "--peer", dora.listen)
        until(lambda: alice.states().get("dora") == "online", 30, what="alice knows dora", shown=fleet.report)
        until(lambda: "clara" not in alice.states(), 20, what="alice hears of clara", shown=fleet.report)
        removed = alice.json("issuer", "remove", "berta", "--yes", tool=ADMIN)
        assert removed["roles"] == ["member"]
        until(
            lambda: berta.run("invite", "emil", tool=ADMIN, code=None).returncode == 1,
            20,
            what="berta knows that it is no issuer any more",
            shown=fleet.report,
        )
        assert berta.refusal("invite", "emil", tool=ADMIN)["code"] == "not_an_issuer"
        assert alice.states()["dora"] == "online"
        assert alice.refusal("issuer", "remove", "alice", "--yes", tool=ADMIN)["code"] == "last_issuer"
