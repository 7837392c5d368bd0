"""``list`` and ``show``: what is known, and no secret."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.keystore import load_identity, root_key_path
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.admin.listing import fleet_list
from roosync_p2p.codec.records import encode
from roosync_p2p.core.rows import InviteRow
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.trust.invites import Invite
from tests.admin.conftest import FOUNDER, Admin
from tests.helpers.api_server import running_api


def test_the_founder_is_listed_as_machine_and_issuer(admin: Admin, founder: Path) -> None:
    document = admin(founder, "list", "--json").document()
    identity = load_identity(founder)
    assert (document["fleet"], document["running"]) == (identity.fleet.hex(), False)
    ((machine,), (issuer,)) = document["machines"], document["issuers"]
    assert (machine["machine"], machine["key"]) == (FOUNDER, identity.key.key_id.hex())
    assert (issuer["machine"], issuer["kind"]) == (FOUNDER, "issuer")
    assert issuer["days_left"] in (5 * 365 - 1, 5 * 365)
    assert "invites" not in document


def test_looking_leaves_nothing_behind(admin: Admin, founder: Path) -> None:
    before = {path.name for path in founder.iterdir()}
    assert admin(founder, "list", "--invites").code == 0
    assert {path.name for path in founder.iterdir()} == before


def test_the_store_is_read_beside_the_node_that_writes_it(admin: Admin, founder: Path) -> None:
    admin(founder, "invite", "any", "--json").document()
    lock = HomeLock.acquire(Home(founder).lock_file, program="roosync up", started="2026-01-15T09:15:30Z")
    with lock, contextlib.closing(SqliteStore.open(founder / "node.db")) as store:
        store.commit(
            [InviteRow(invite_id=b"another.", data=encode(Invite(invite=b"another.", secret=b"S" * 16, expires_s=9)))]
        )
        document = admin(founder, "list", "--invites", "--json").document()
    assert [one["state"] for one in document["invites"]] == ["outstanding", "expired"]


def test_the_running_nodes_view_is_added(admin: Admin, founder: Path) -> None:
    with running_api(founder):
        document = admin(founder, "list", "--json").document()
    assert (document["running"], document["machines"][0]["state"]) == (True, "online")


def test_invites_are_outstanding_used_or_expired(founder: Path) -> None:
    invites = [
        Invite(invite=b"outstand", secret=b"S" * 16, expires_s=300),
        Invite(invite=b"used....", secret=b"S" * 16, expires_s=200, used_by=KeyId(bytes(32)), used_as=MachineId("abc")),
        Invite(invite=b"expired.", secret=b"S" * 16, expires_s=100),
    ]
    store = SqliteStore.open(founder / "node.db")
    store.commit([InviteRow(invite_id=one.invite, data=encode(one)) for one in invites])
    store.close()
    listed = fleet_list(Home(founder), with_invites=True, wall_s=250)["invites"]
    assert [(one["state"], one["used_as"]) for one in listed] == [
        ("outstanding", None),
        ("used", "abc"),
        ("expired", None),
    ]
    assert (b"S" * 16).hex() not in str(listed)


def test_show_says_where_the_root_key_is(admin: Admin, founder: Path, tmp_path: Path) -> None:
    shown = admin(founder, "show", "--json").document()
    assert shown["root_key"] == {"path": str(root_key_path(founder)), "present": True, "encrypted": False}
    root_key_path(founder).rename(tmp_path / "root.key")
    shown = admin(founder, "show", "--json").document()
    assert (shown["root_key"]["present"], shown["root_key"]["encrypted"]) == (False, None)
    assert [one["kind"] for one in shown["certificates"]] == ["machine", "issuer", "root"]
    assert shown["certificates"][2]["key"] == shown["fleet"]
    assert "not in this home" in admin(founder, "show").out


def test_show_describes_a_machine(admin: Admin, founder: Path) -> None:
    shown = admin(founder, "show", FOUNDER, "--json").document()
    assert [one["kind"] for one in shown["certificates"]] == ["machine", "issuer"]
    admin(founder, "show", "myia-po-2023", "--json").refused(1, "no_such_machine")
    admin(founder, "show", "no", "--json").refused(2, "bad_machine_id")


def test_show_judges_the_certificates_in_a_file(admin: Admin, founder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    admin(other, "init", "--machine", "stranger", "--no-passphrase", "--json").document()
    own = str(founder / "identity" / "chain.pem")
    for home, trusted in ((founder, True), (other, False), (tmp_path / "none", None)):
        shown = admin(home, "show", own, "--json").document()["certificates"]
        assert [(one["kind"], one["trusted"]) for one in shown] == [("machine", trusted), ("issuer", trusted)]
    (tmp_path / "x.pem").write_text("hello")
    admin(founder, "show", str(tmp_path / "x.pem"), "--json").refused(1, "bad_certificate")


def test_people_read_columns(admin: Admin, founder: Path) -> None:
    admin(founder, "invite", "any")
    done = admin(founder, "list", "--invites")
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"^{FOUNDER} \(this one\)  -  +20", done.out, re.MULTILINE)
    assert re.search(r"^[0-9a-f]{16}  any  outstanding  20", done.out, re.MULTILINE)


@pytest.mark.parametrize("command", [["list"], ["show"], ["show", FOUNDER]])
def test_a_home_without_identity_has_nothing_to_show(admin: Admin, tmp_path: Path, command: list[str]) -> None:
    admin(tmp_path, *command, "--json").refused(1, "no_identity")


def test_a_damaged_store_is_said_so(admin: Admin, founder: Path) -> None:
    (founder / "node.db").write_bytes(b"not a database" * 100)
    for command in (["list"], ["invite", "any"]):
        admin(founder, *command, "--json").refused(1, "store_corrupt")
