"""``invite``: a code that says what it was made for, kept before it is shown."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.keystore import load_identity, root_key_path
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.admin.office import read_store
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.rows import InviteRow
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.trust.invites import Invite, decode_join_code
from roosync_p2p.trust.roles import APPROVER, MEMBER
from roosync_p2p.trust.statements import MemberAdmit, encode_member_admit, verify_member_admit
from tests.admin.conftest import FOUNDER, Admin
from tests.helpers.api_server import running_api

MACHINE = MachineId("myia-po-2023")


def _invites(home: Path) -> list[Invite]:
    return [decode(row.data, Invite) for row in read_store(Home(home)).invites if row.data is not None]


def test_the_code_alone_is_on_standard_output(admin: Admin, founder: Path) -> None:
    done = admin(founder, "invite", "MYIA-PO-2023")
    assert done.code == 0
    assert done.out.count("\n") == 1
    code = decode_join_code(done.out)
    assert (code.fleet, code.issuer, code.machine) == (load_identity(founder).fleet, FOUNDER, MACHINE)
    assert code.contacts == ("127.0.0.1:47611",)
    assert abs(code.expires_s - time.time() - 24 * 3600) < 60
    (invite,) = _invites(founder)
    assert (invite.invite, invite.secret, invite.machine) == (code.invite, code.secret, MACHINE)
    assert (invite.expires_s, invite.roles, invite.used_by) == (code.expires_s, (MEMBER,), None)
    assert "roosync join" in done.err
    assert done.out.strip() not in done.err


def test_any_machine_and_other_addresses(admin: Admin, founder: Path) -> None:
    contacts = ["192.168.1.10:47600", "[2001:db8::1]:47600"]
    options = [word for contact in contacts for word in ("--contact", contact)]
    document = admin(founder, "invite", "any", "--ttl", "30m", *options, "--json").document()
    code = decode_join_code(document["code"])
    assert (code.machine, list(code.contacts), document["machine"]) == (None, contacts, None)
    assert abs(code.expires_s - time.time() - 1800) < 60


def test_an_address_that_the_system_will_choose_is_not_promised(admin: Admin, tmp_path: Path) -> None:
    listen = "--listen", "127.0.0.1:0"
    admin(tmp_path, "init", "--machine", FOUNDER, *listen, "--no-passphrase", "--json").document()
    done = admin(tmp_path, "invite", "any")
    assert decode_join_code(done.out).contacts == ()
    assert "--contact" in done.err


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["any", "--ttl", "tomorrow"], "bad_duration"),
        (["any", "--ttl", "0h"], "bad_duration"),
        (["any", "--ttl", "31d"], "bad_duration"),
        (["x"], "bad_machine_id"),
        (["any", "--contact", "nowhere"], "bad_contact"),
        (["any", "--role", "king"], "bad_role"),
        (["any", "--role", "observer", "--role", "approver"], "bad_role"),
        (["any", "--role", "issuer"], "role_needs_certificate"),
        ([], "usage"),
    ],
)
def test_a_malformed_wish_is_wrong_usage(admin: Admin, founder: Path, args: list[str], code: str) -> None:
    admin(founder, "invite", *args, "--json").refused(2, code)
    assert _invites(founder) == []


def test_a_member_is_not_invited_again(admin: Admin, founder: Path) -> None:
    admin(founder, "invite", FOUNDER, "--json").refused(1, "machine_exists")


def test_too_many_outstanding_codes_are_refused(admin: Admin, founder: Path) -> None:
    numbers = range(limits.INVITES_OUTSTANDING_MAX)
    invites = [Invite(invite=n.to_bytes(8, "big"), secret=bytes(16), expires_s=1 << 33) for n in numbers]
    expired = Invite(invite=b"expired.", secret=bytes(16), expires_s=1)
    used = Invite(invite=b"used....", secret=bytes(16), expires_s=1 << 33, used_by=KeyId(bytes(32)))
    store = SqliteStore.open(founder / "node.db")
    store.commit([InviteRow(invite_id=one.invite, data=encode(one)) for one in (*invites[1:], expired, used)])
    store.close()
    admin(founder, "invite", "any", "--json").document()
    admin(founder, "invite", "any", "--json").refused(1, "too_many_invites")


def test_a_home_without_identity_has_nobody_to_invite(admin: Admin, tmp_path: Path) -> None:
    admin(tmp_path / "nowhere", "invite", "any", "--json").refused(1, "no_identity")


def test_a_home_in_use_without_an_api_is_named_with_its_pid(admin: Admin, founder: Path) -> None:
    with HomeLock.acquire(Home(founder).lock_file, program="roosync up", started="2026-01-15T09:15:30Z"):
        error = admin(founder, "invite", "any", "--json").refused(1, "home_in_use")
    assert error["details"]["pid"]


def test_the_running_node_makes_the_code(admin: Admin, founder: Path) -> None:
    with running_api(founder):
        document = admin(founder, "invite", MACHINE, "--json").document()
    assert (document["code"], document["machine"]) == ("RS1-AAAA-BBBB", MACHINE)
    assert _invites(founder) == []


def test_a_node_elsewhere_that_is_silent_is_not_replaced_by_this_home(
    admin: Admin, founder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setenv("ROOSYNC_API", f"unix:{tmp_path / 'gone'}")
    monkeypatch.setenv("ROOSYNC_TOKEN_FILE", str(tmp_path / "token"))
    admin(founder, "invite", "any", "--json").refused(3, "not_running")


# --- roles beyond member ------------------------------------------------------------------------------------------


def test_a_role_carries_the_roots_consent_for_this_invite(admin: Admin, tmp_path: Path, passphrase_file: Path) -> None:
    home = tmp_path / "home"
    admin(home, "init", "--machine", FOUNDER, "--json").document()
    admin(home, "invite", MACHINE, "--role", "approver", "--json").document()
    (invite,) = _invites(home)
    assert invite.roles == (APPROVER, MEMBER)
    joined = admin(tmp_path / "joiner", "request", "--machine", MACHINE, "--json").document()
    (tmp_path / "r.pem").write_text(joined["request"])
    admin(home, "issue", str(tmp_path / "r.pem"), "--json").document()
    member = read_store(Home(home)).members[-1]
    body = encode_member_admit(
        MemberAdmit(
            machine=MACHINE,
            key=member.key_id,
            roles=invite.roles,
            leaf=member.leaf,
            issuer=member.issuer,
            admitted_by=MachineId(FOUNDER),
            invite=invite.invite,
            grant=invite.grant,
        )
    )
    assert verify_member_admit(body, load_identity(home).directory()).roles == (APPROVER, MEMBER)


def test_a_wrong_passphrase_gives_no_role(admin: Admin, tmp_path: Path, passphrase_file: Path) -> None:
    admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json").document()
    passphrase_file.write_text("guess\n")
    error = admin(tmp_path / "home", "invite", "any", "--role", "approver", "--json").refused(1, "wrong_passphrase")
    assert "guess" not in str(error)
    assert _invites(tmp_path / "home") == []


def test_a_root_key_that_was_moved_away_is_asked_for(admin: Admin, founder: Path, tmp_path: Path) -> None:
    root_key_path(founder).rename(tmp_path / "root.key")
    error = admin(founder, "invite", "any", "--role", "observer", "--json").refused(1, "root_key_elsewhere")
    assert str(root_key_path(founder)) in error["remedy"]


def test_a_role_beside_a_running_node_says_to_stop_it(admin: Admin, founder: Path) -> None:
    lock = HomeLock.acquire(Home(founder).lock_file, program="roosync up", started="2026-01-15T09:15:30Z")
    with lock, running_api(founder):
        error = admin(founder, "invite", "any", "--role", "approver", "--json").refused(1, "home_in_use")
    assert "roosync down" in error["remedy"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_key_that_others_can_read_is_not_used(admin: Admin, founder: Path) -> None:
    (founder / "identity" / "issuer.key").chmod(0o644)
    error = admin(founder, "invite", "any", "--json").refused(1, "permissions_too_open")
    assert "chmod 600" in error["remedy"]
