"""What was frozen is still what this program writes, and still what it reads."""

from __future__ import annotations

import hashlib
import io

import pytest

from roosync_p2p.adapters.sealed_files import open_sealed
from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import unpack
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import parse_request, parse_root_certificate, verify_machine_chain
from roosync_p2p.trust.dial_back import decode_dial_back, decode_dialled_back
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import pae, verify
from roosync_p2p.trust.invites import Invite, JoinCode, decode_join_code
from roosync_p2p.trust.joining import JoinerSession
from roosync_p2p.trust.late_renewal import read_renewal
from roosync_p2p.trust.revocations import read_revocation
from roosync_p2p.trust.rotations import read_rotation, verify_rotation
from roosync_p2p.trust.statements import verify_fleet_found, verify_member_admit
from tests.helpers.trust import NOW_S, ExampleFleet
from tests.vectors.record_trust import VECTORS, load


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_what_is_written_has_not_changed(name: str) -> None:
    assert VECTORS[name]() == load(name)


def test_frozen_values_are_read() -> None:
    for vector in load("codec")["canonical"]:
        assert unpack(bytes.fromhex(vector["bytes"])) == vector["value"]


def test_the_frozen_envelope_verifies() -> None:
    vector, chain = load("envelope"), load("certificates")
    directory = Directory.found(bytes.fromhex(chain["root"])).with_chain(
        bytes.fromhex(chain["leaf"]), bytes.fromhex(chain["issuer"])
    )
    verified = verify(bytes.fromhex(vector["envelope"]), context=contexts.HEARTBEAT, directory=directory, size_max=4096)
    assert (verified.author, verified.payload.hex()) == (vector["author"], vector["payload"])
    assert verified.digest.hex() == vector["digest"] == hashlib.sha256(bytes.fromhex(vector["signed"])).hexdigest()
    for example in vector["pae"]:
        assert pae([piece.encode() for piece in example["pieces"]]).hex() == example["bytes"]


def test_the_frozen_chain_holds() -> None:
    vector = load("certificates")
    root = parse_root_certificate(bytes.fromhex(vector["root"]))
    leaf = verify_machine_chain(bytes.fromhex(vector["leaf"]), bytes.fromhex(vector["issuer"]), root=root)
    assert (leaf.machine, leaf.fleet.hex()) == (vector["machine"], vector["fleet"])
    assert parse_request(bytes.fromhex(vector["request"])).public == leaf.public


def test_the_frozen_codes_are_read() -> None:
    for vector in load("join_code")["codes"]:
        assert decode_join_code(vector["text"]) == JoinCode(
            fleet=FleetId(bytes.fromhex(vector["fleet"])),
            issuer=MachineId(vector["issuer"]),
            invite=bytes.fromhex(vector["invite"]),
            secret=bytes.fromhex(vector["secret"]),
            contacts=tuple(vector["contacts"]),
            machine=vector["machine"],
            expires_s=vector["expires_s"],
        )


def test_the_frozen_exchange_enrols() -> None:
    vector, fleet = load("joining"), ExampleFleet()
    machine = MachineId("myia-po-2023")
    code = decode_join_code(vector["code"])
    joiner = JoinerSession(code, machine, fleet.key(machine), bytes.fromhex(vector["joiner_nonce"]), time_ms=0)
    request = joiner.on_hello(bytes.fromhex(vector["hello"]), peer_leaf_der=fleet.leaf("myia-ai-01"))
    assert request.hex() == vector["request"]
    assert joiner.on_answer(bytes.fromhex(vector["answer"])).machine == machine
    assert decode_dial_back(bytes.fromhex(vector["dial_back"])).port == 47_600
    report = decode_dialled_back(bytes.fromhex(vector["dialled_back"]))
    assert (report.outcome, report.host) == ("unanswered", "192.0.2.7")


def test_the_frozen_statements_verify() -> None:
    vector = load("statements")
    directory = Directory.found(bytes.fromhex(vector["root"]))
    assert verify_fleet_found(bytes.fromhex(vector["fleet_found"]), directory).machine == "myia-ai-01"
    assert verify_member_admit(bytes.fromhex(vector["member_admit"]), directory).roles == ("member",)
    granted = verify_member_admit(bytes.fromhex(vector["member_admit_with_grant"]), directory)
    assert granted.roles == ("approver", "issuer", "member")
    assert records.decode(bytes.fromhex(vector["invite"]), Invite).used_by is None


def test_the_frozen_ends_of_keys_verify() -> None:
    vector, fleet, machine = load("keys"), ExampleFleet(), MachineId("myia-po-2023")
    directory = fleet.directory("myia-ai-01", machine)
    revoked = verify(
        bytes.fromhex(vector["revocation"]), context=contexts.STATEMENT, directory=directory, size_max=4096
    )
    said = read_revocation(revoked, directory)
    assert (said.machine, said.reason, said.keys) == (machine, "volée", (fleet.key(machine).key_id,))
    rotated = verify_rotation(bytes.fromhex(vector["rotation"]), Directory.found(bytes.fromhex(vector["root"])))
    rotation = read_rotation(rotated.raw)
    assert (rotated.key_id, rotation.old) == (fleet.key(machine).key_id, fleet.key(machine).key_id)
    assert rotation.cut("ledger") == (1, 7)
    request, clock_ms = read_renewal(
        bytes.fromhex(vector["late_renewal"]),
        tls_leaf=fleet.leaf("myia-ai-01"),
        nonce=bytes(range(32)),
        directory=directory,
    )
    assert (parse_request(request).machine, clock_ms) == (machine, NOW_S * 1000)


def test_the_frozen_backup_opens_with_its_passphrase_alone() -> None:
    sealed = bytes.fromhex(load("sealed")["file"])
    assert b"".join(open_sealed(io.BytesIO(sealed), "mot de passe é".encode())) == b"what was backed up"
    with pytest.raises(InputFault) as refused:
        list(open_sealed(io.BytesIO(sealed), b"another"))
    assert refused.value.code == "wrong_passphrase"
