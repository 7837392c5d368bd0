"""``request``, ``issue``, ``install``: a machine is let in by files carried by hand."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.admin.enrolling import answer_of
from roosync_p2p.admin.office import read_store
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.certificates import certificate_request
from roosync_p2p.trust.enrolment import certificates_to_pem, enrolment_from_pem
from roosync_p2p.trust.statements import MEMBER_ADMIT, verify_member_admit
from tests.admin.conftest import FOUNDER, Admin
from tests.helpers.api_server import running_api
from tests.helpers.trust import key_from

MACHINE = MachineId("myia-po-2023")


@pytest.fixture
def request_file(admin: Admin, tmp_path: Path) -> Path:
    """A request of the machine in ``tmp_path / "joiner"``."""
    path = tmp_path / "request.pem"
    assert admin(tmp_path / "joiner", "request", "--machine", MACHINE, "--out", str(path)).code == 0
    return path


def _pem(der: bytes) -> bytes:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n".encode()


def test_a_machine_is_admitted_by_hand(admin: Admin, founder: Path, tmp_path: Path, request_file: Path) -> None:
    answer = tmp_path / "answer.pem"
    issued = admin(founder, "issue", str(request_file))
    answer.write_text(issued.out)
    fleet = load_identity(founder).fleet
    assert fleet.hex() in issued.err
    document = admin(tmp_path / "joiner", "install", str(answer), "--fleet", fleet.hex(), "--json").document()
    assert (document["machine"], document["fleet"]) == (MACHINE, fleet.hex())
    assert (document["inbound"]["checked"], document["inbound"]["outcome"]) == (False, "carried_by_hand")
    identity = load_identity(tmp_path / "joiner")
    assert (identity.machine, identity.fleet, identity.is_issuer) == (MACHINE, fleet, False)


def test_the_ledger_entry_and_the_pinned_key_wait_for_the_node(admin: Admin, founder: Path, request_file: Path) -> None:
    admin(founder, "issue", str(request_file), "--json").document()
    loaded = read_store(Home(founder))
    assert [(row.number, row.kind) for row in loaded.pending] == [(1, "fleet.found"), (2, MEMBER_ADMIT)]
    body = loaded.pending[1].body
    assert body is not None
    admit = verify_member_admit(body, load_identity(founder).directory())
    assert (admit.machine, admit.admitted_by, admit.invite) == (MACHINE, FOUNDER, b"")
    assert {row.machine: row.key_id for row in loaded.members}[MACHINE] == admit.key


def test_the_same_request_gets_the_same_answer_and_no_second_entry(
    admin: Admin, founder: Path, request_file: Path
) -> None:
    first, second = (admin(founder, "issue", str(request_file)).out for _ in range(2))
    assert first == second
    assert len(read_store(Home(founder)).pending) == 2


def test_a_request_made_again_is_the_same(admin: Admin, tmp_path: Path, request_file: Path) -> None:
    again = admin(tmp_path / "joiner", "request", "--machine", MACHINE)
    assert again.out.encode() == request_file.read_bytes()


def test_a_request_saved_by_an_old_powershell_is_read(admin: Admin, founder: Path, request_file: Path) -> None:
    request_file.write_bytes(request_file.read_text().encode("utf-16"))
    admin(founder, "issue", str(request_file), "--json").document()


@pytest.mark.parametrize("machine", [MACHINE, FOUNDER])
def test_an_id_with_a_live_key_is_refused(
    admin: Admin, founder: Path, tmp_path: Path, request_file: Path, machine: str
) -> None:
    admin(founder, "issue", str(request_file), "--json").document()
    (tmp_path / "other.pem").write_bytes(_pem(certificate_request(key_from("other"), MachineId(machine))))
    before = read_store(Home(founder))
    admin(founder, "issue", str(tmp_path / "other.pem"), "--json").refused(1, "machine_exists")
    assert read_store(Home(founder)) == before


def test_a_tampered_request_fails_verification(admin: Admin, founder: Path, tmp_path: Path) -> None:
    der = bytearray(certificate_request(key_from("joiner"), MACHINE))
    der[-1] ^= 1
    (tmp_path / "r.pem").write_bytes(_pem(bytes(der)))
    error = admin(founder, "issue", str(tmp_path / "r.pem"), "--json").refused(5, "bad_signature")
    assert "nothing was issued" in error["message"]
    assert len(read_store(Home(founder)).pending) == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN CERTIFICATE REQUEST-----\n"])
def test_what_is_no_request_is_refused(admin: Admin, founder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.pem").write_bytes(content)
    admin(founder, "issue", str(tmp_path / "r.pem"), "--json").refused(1, "bad_request")


def test_a_request_that_is_not_there_is_named(admin: Admin, founder: Path, tmp_path: Path) -> None:
    error = admin(founder, "issue", str(tmp_path / "r.pem"), "--json").refused(1, "cannot_read")
    assert error["details"]["path"] == str(tmp_path / "r.pem")


def test_an_answer_that_could_not_be_written_admits_nobody(
    admin: Admin, founder: Path, tmp_path: Path, request_file: Path
) -> None:
    for out in (tmp_path, tmp_path / "missing" / "answer.pem"):
        admin(founder, "issue", str(request_file), "--out", str(out), "--json").refused(2, "bad_output")
    assert len(read_store(Home(founder)).pending) == 1


def test_a_member_that_is_no_issuer_cannot_issue(
    admin: Admin, founder: Path, tmp_path: Path, request_file: Path
) -> None:
    issued = admin(founder, "issue", str(request_file), "--json").document()
    (tmp_path / "answer.pem").write_text(issued["answer"])
    joiner = tmp_path / "joiner"
    admin(joiner, "install", str(tmp_path / "answer.pem"), "--fleet", issued["fleet"], "--json").document()
    (tmp_path / "r.pem").write_bytes(_pem(certificate_request(key_from("third"), MachineId("third"))))
    for command in (["issue", str(tmp_path / "r.pem")], ["invite", "any"]):
        error = admin(joiner, *command, "--json").refused(1, "not_an_issuer")
        assert FOUNDER in error["remedy"]


def test_the_running_node_issues(admin: Admin, founder: Path, request_file: Path) -> None:
    with running_api(founder):
        error = admin(founder, "issue", str(request_file), "--json").refused(1, "not_an_issuer")
    assert error["details"]["bytes"] == len(request_file.read_bytes())


def test_the_answer_of_a_node_is_checked(admin: Admin, founder: Path, request_file: Path) -> None:
    enrolment = enrolment_from_pem(admin(founder, "issue", str(request_file)).out.encode())
    ders = {"certificate": enrolment.leaf, "issuer": enrolment.issuer, "root": enrolment.root}
    parts = {part: certificates_to_pem(der).decode() for part, der in ders.items()}
    assert answer_of({"machine": MACHINE, **parts}) == enrolment
    with pytest.raises(PeerFault):
        answer_of({**parts, "issuer": parts["root"]})


# --- installing ---------------------------------------------------------------------------------------------------


@pytest.fixture
def answer_file(admin: Admin, founder: Path, tmp_path: Path, request_file: Path) -> Path:
    """The issuer's answer to ``request_file``."""
    path = tmp_path / "answer.pem"
    assert admin(founder, "issue", str(request_file), "--out", str(path)).code == 0
    return path


def test_another_fleet_than_the_one_meant_fails_verification(admin: Admin, tmp_path: Path, answer_file: Path) -> None:
    admin(tmp_path / "joiner", "install", str(answer_file), "--fleet", "ab" * 32, "--json").refused(5, "wrong_fleet")
    assert not (tmp_path / "joiner" / "identity").exists()


def test_a_fleet_id_that_is_none_is_wrong_usage(admin: Admin, tmp_path: Path, answer_file: Path) -> None:
    admin(tmp_path / "joiner", "install", str(answer_file), "--fleet", "ab", "--json").refused(2, "bad_fleet_id")


def test_nobody_confirms_a_fleet_without_a_terminal(admin: Admin, tmp_path: Path, answer_file: Path) -> None:
    error = admin(tmp_path / "joiner", "install", str(answer_file), "--json").refused(1, "confirmation_needed")
    assert "--fleet" in error["remedy"]


def test_an_answer_to_somebody_else_fails_verification(
    admin: Admin, founder: Path, tmp_path: Path, answer_file: Path
) -> None:
    fleet = load_identity(founder).fleet.hex()
    assert admin(tmp_path / "other", "request", "--machine", MACHINE).code == 0
    admin(tmp_path / "other", "install", str(answer_file), "--fleet", fleet, "--json").refused(5, "wrong_key")


@pytest.mark.parametrize("exists", [True, False])
def test_without_a_request_there_is_nothing_to_install(
    admin: Admin, founder: Path, tmp_path: Path, answer_file: Path, *, exists: bool
) -> None:
    home = tmp_path / "empty"
    if exists:
        home.mkdir()
    fleet = load_identity(founder).fleet.hex()
    admin(home, "install", str(answer_file), "--fleet", fleet, "--json").refused(1, "nothing_pending")


def test_a_damaged_answer_is_refused(admin: Admin, tmp_path: Path, answer_file: Path) -> None:
    answer_file.write_bytes(answer_file.read_bytes()[:900])
    admin(tmp_path / "joiner", "install", str(answer_file), "--fleet", "ab" * 32, "--json").refused(
        1, "bad_certificate"
    )
