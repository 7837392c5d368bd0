"""Certificates: what we build holds elsewhere, what we accept is only what we build."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import (
    certificate_request,
    check_dates,
    fleet_id_of,
    issuer_certificate,
    parse_issuer_certificate,
    parse_machine_certificate,
    parse_request,
    parse_root_certificate,
    root_certificate,
    verify_issuer_certificate,
    verify_machine_chain,
)
from roosync_p2p.trust.enrolment import certificates_to_pem
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.x509_form import library_key, load_certificate
from tests.helpers.trust import NOW_S, ExampleFleet, accepted_or_documented, key_from, refused_with

_FLEET = ExampleFleet()
_MACHINE = MachineId("myia-po-2023")
_LEAF = _FLEET.leaf(_MACHINE)
_ROOT = parse_root_certificate(_FLEET.root)


def _forged(
    *,
    key: SigningKey | None = None,
    signer: SigningKey | None = None,
    uri: str = f"roosync://{_FLEET.fleet.hex()}/{_MACHINE}",
    names: list[x509.GeneralName] | None = None,
    authority: bool = False,
    path_length: int | None = None,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    cert_sign: bool = False,
    extra: x509.ExtensionType | None = None,
    leave_out: str = "",
) -> bytes:
    """A leaf as our builder makes it, with one lie."""
    public = library_key((key or _FLEET.key(_MACHINE)).public)
    issuer = x509.load_der_x509_certificate(_FLEET.issuer)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    general = [x509.UniformResourceIdentifier(uri)] if names is None else names
    extensions: dict[str, tuple[x509.ExtensionType, bool]] = {
        "constraints": (x509.BasicConstraints(ca=authority, path_length=path_length), True),
        "usage": (usage, True),
        "extended": (x509.ExtendedKeyUsage(usages), False),
        "names": (x509.SubjectAlternativeName(general), False),
    }
    extensions.pop(leave_out, None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(9)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    )
    for value, critical in extensions.values():
        builder = builder.add_extension(value, critical)
    if extra is not None:
        builder = builder.add_extension(extra, critical=False)
    private = (signer or _FLEET.issuer_key).private_key
    return builder.sign(private, None).public_bytes(serialization.Encoding.DER)


def test_a_chain_says_who_and_until_when() -> None:
    certificate = verify_machine_chain(_LEAF, _FLEET.issuer, root=_ROOT)
    assert certificate.machine == _MACHINE
    assert certificate.fleet == _FLEET.fleet == fleet_id_of(_FLEET.root)
    assert certificate.public == _FLEET.key(_MACHINE).public
    assert certificate.not_before_s == NOW_S - 2 * 24 * 3600
    assert certificate.not_after_s == NOW_S + 365 * 24 * 3600
    assert certificate.der == _LEAF
    assert _ROOT.fleet_name == "Écurie"
    assert parse_issuer_certificate(_FLEET.issuer).machine == "myia-ai-01"


def test_the_forgers_leaf_without_a_lie_is_accepted() -> None:
    """Else the tests below would prove nothing."""
    assert verify_machine_chain(_forged(), _FLEET.issuer, root=_ROOT).machine == _MACHINE


def test_building_is_deterministic() -> None:
    assert (_FLEET.root, _FLEET.issuer) == (ExampleFleet().root, ExampleFleet().issuer)
    assert _FLEET.leaf(_MACHINE) == _LEAF


def test_the_fleet_is_the_hash_of_the_roots_public_key_and_outlives_its_certificate() -> None:
    assert bytes(_FLEET.fleet) == bytes(_FLEET.root_key.key_id)
    renewed = root_certificate(_FLEET.root_key, fleet_name="another name", serial=77, now_s=NOW_S + 10)
    assert fleet_id_of(renewed) == _FLEET.fleet
    assert verify_machine_chain(_LEAF, _issuer_under(renewed), root=parse_root_certificate(renewed)).fleet


def _issuer_under(root: bytes) -> bytes:
    return issuer_certificate(
        _FLEET.root_key, root, _FLEET.issuer_key.public, machine=MachineId("myia-ai-01"), serial=2, now_s=NOW_S
    )


def test_no_certificate_outlives_its_signer() -> None:
    late_s = NOW_S + 4 * 365 * 24 * 3600 + 200 * 24 * 3600
    issuer = parse_issuer_certificate(_FLEET.issuer)
    assert parse_machine_certificate(_FLEET.leaf(_MACHINE, now_s=late_s)).not_after_s == issuer.not_after_s


@pytest.mark.skipif(which("openssl") is None, reason="no openssl program here")
@pytest.mark.parametrize("strict", [[], ["-x509_strict"]])
def test_openssl_verifies_the_chain(tmp_path: Path, strict: list[str]) -> None:
    for name, der in (("root", _FLEET.root), ("issuer", _FLEET.issuer), ("machine", _LEAF)):
        (tmp_path / f"{name}.pem").write_bytes(certificates_to_pem(der))
    command = ["openssl", "verify", *strict, "-attime", str(NOW_S), "-CAfile", "root.pem"]
    done = subprocess.run(
        [*command, "-untrusted", "issuer.pem", "machine.pem"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"machine.pem: OK\n"), done.stderr


def test_two_machines_agree_on_tls_with_these_certificates(tmp_path: Path) -> None:
    fleet, now_s = ExampleFleet("tls"), int(dt.datetime.now(dt.UTC).timestamp())
    (tmp_path / "root.pem").write_bytes(certificates_to_pem(fleet.root))
    ends = []
    for server, machine in ((True, "myia-po-2023"), (False, "myia-po-2024")):
        (tmp_path / "chain.pem").write_bytes(certificates_to_pem(fleet.leaf(machine, now_s=now_s), fleet.issuer))
        (tmp_path / "machine.key").write_bytes(fleet.key(machine).to_pem(None))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(tmp_path / "root.pem")
        context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "machine.key")
        read, write = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends.append((context.wrap_bio(read, write, server_side=server), read, write))
    (server_end, to_server, from_server), (client_end, to_client, from_client) = ends
    for _ in range(3):
        for end in (client_end, server_end):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            finally:
                to_server.write(from_client.read())
                to_client.write(from_server.read())
    shown = server_end.getpeercert(binary_form=True)
    assert shown is not None
    assert parse_machine_certificate(shown).machine == "myia-po-2024"
    assert client_end.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("code", "leaf"),
    [
        ("bad_signature", functools.partial(_forged, signer=key_from("stranger"))),
        ("bad_signature", functools.partial(_forged, signer=_FLEET.root_key)),
        ("bad_certificate_use", functools.partial(_forged, authority=True)),
        ("bad_certificate_use", functools.partial(_forged, authority=True, path_length=0, cert_sign=True)),
        ("bad_certificate_use", functools.partial(_forged, cert_sign=True)),
        ("bad_certificate_use", functools.partial(_forged, usages=(ExtendedKeyUsageOID.SERVER_AUTH,))),
        ("bad_certificate_use", functools.partial(_forged, leave_out="constraints")),
        ("bad_certificate_use", functools.partial(_forged, leave_out="usage")),
        ("bad_certificate_use", functools.partial(_forged, leave_out="extended")),
        ("bad_certificate", functools.partial(_forged, leave_out="names")),
        ("bad_certificate", functools.partial(_forged, names=[x509.DNSName("myia-po-2023")])),
        (
            "bad_certificate",
            functools.partial(
                _forged,
                names=[
                    x509.UniformResourceIdentifier(f"roosync://{_FLEET.fleet.hex()}/{name}")
                    for name in (_MACHINE, "myia-ai-01")
                ],
            ),
        ),
        ("bad_certificate", functools.partial(_forged, uri=f"roosync://{_FLEET.fleet.hex()}/MYIA-PO-2023")),
        ("bad_certificate", functools.partial(_forged, uri=f"roosync://{_FLEET.fleet.hex()}/root")),
        ("bad_certificate", functools.partial(_forged, uri=f"roosync://{_FLEET.fleet.hex()}/issuer/{_MACHINE}")),
        ("bad_certificate", functools.partial(_forged, uri=f"https://{_FLEET.fleet.hex()}/{_MACHINE}")),
        ("bad_certificate", functools.partial(_forged, extra=x509.OCSPNoCheck())),
        ("wrong_fleet", functools.partial(_forged, uri=f"roosync://{'0' * 64}/{_MACHINE}")),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value.keywords)[:60],
)
def test_a_leaf_with_one_lie_is_refused(code: str, leaf: functools.partial[bytes]) -> None:
    refused_with(code, lambda: verify_machine_chain(leaf(), _FLEET.issuer, root=_ROOT))


def test_a_certificate_of_another_algorithm_is_refused() -> None:
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    der = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    refused_with("bad_certificate", lambda: parse_root_certificate(der))


def test_each_kind_of_certificate_is_refused_in_the_place_of_another() -> None:
    refused_with("bad_certificate_use", lambda: parse_root_certificate(_FLEET.issuer))
    refused_with("bad_certificate_use", lambda: parse_root_certificate(_LEAF))
    refused_with("bad_certificate_use", lambda: parse_issuer_certificate(_FLEET.root))
    refused_with("bad_certificate_use", lambda: parse_issuer_certificate(_LEAF))
    refused_with("bad_certificate_use", lambda: parse_machine_certificate(_FLEET.root))
    refused_with("bad_certificate_use", lambda: parse_machine_certificate(_FLEET.issuer))


def test_a_machine_cannot_act_as_an_issuer() -> None:
    refused_with("bad_certificate_use", lambda: verify_machine_chain(_LEAF, _LEAF, root=_ROOT))


def test_a_chain_of_another_fleet_is_refused_by_name() -> None:
    other = ExampleFleet("elsewhere")
    refused_with("wrong_fleet", lambda: verify_machine_chain(other.leaf(_MACHINE), other.issuer, root=_ROOT))
    refused_with("wrong_fleet", lambda: verify_machine_chain(other.leaf(_MACHINE), _FLEET.issuer, root=_ROOT))
    refused_with("wrong_fleet", lambda: verify_issuer_certificate(other.issuer, root=_ROOT))


def test_dates_are_judged_at_the_time_that_is_given_and_nowhere_else() -> None:
    certificate = verify_machine_chain(_LEAF, _FLEET.issuer, root=_ROOT)
    for second in (certificate.not_before_s, NOW_S, certificate.not_after_s):
        check_dates(certificate, second * 1000)
    before, after = certificate.not_before_s * 1000 - 1, (certificate.not_after_s + 1) * 1000
    refused_with("certificate_not_yet_valid", lambda: check_dates(certificate, before))
    refused_with("certificate_expired", lambda: check_dates(certificate, after))


def test_what_is_too_large_is_not_parsed() -> None:
    refused_with("oversized", lambda: parse_machine_certificate(bytes(limits.CERTIFICATE_BYTES_MAX + 1)))
    refused_with("oversized", lambda: parse_request(bytes(limits.CERTIFICATE_BYTES_MAX + 1)))


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
def test_a_fleet_name_has_bounds(name: str) -> None:
    refused_with("bad_fleet_name", lambda: root_certificate(_FLEET.root_key, fleet_name=name, serial=1, now_s=NOW_S))


def test_the_longest_names_fit() -> None:
    fleet = ExampleFleet("é" * limits.FLEET_NAME_CHARS_MAX)
    machine = MachineId("m" * 50)
    root = parse_root_certificate(fleet.root)
    assert verify_machine_chain(fleet.leaf(machine), fleet.issuer, root=root).machine == machine


def test_a_request_is_read_in_both_encodings() -> None:
    key = key_from("new machine")
    der = certificate_request(key, _MACHINE)
    pem = x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM)
    for data in (der, pem, b"\r\n" + pem):
        request = parse_request(data)
        assert (request.machine, request.public, request.der) == (_MACHINE, key.public, der)


def test_a_request_for_somebody_elses_key_is_refused() -> None:
    mine, theirs = key_from("mine"), key_from("theirs")
    der = certificate_request(mine, _MACHINE).replace(mine.public.raw, theirs.public.raw)
    refused_with("bad_signature", lambda: parse_request(der))


def test_requests_of_another_form_are_refused() -> None:
    refused_with("bad_machine_id", lambda: parse_request(certificate_request(key_from("a"), MachineId("no"))))
    refused_with("bad_machine_id", lambda: parse_request(certificate_request(key_from("a"), MachineId("root"))))
    refused_with("bad_request", lambda: parse_request(b"-----BEGIN CERTIFICATE REQUEST-----\n"))
    refused_with("bad_request", lambda: parse_request(_LEAF))
    nameless = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    der = nameless.sign(key_from("a").private_key, None).public_bytes(serialization.Encoding.DER)
    refused_with("bad_machine_id", lambda: parse_request(der))


_parsers = st.sampled_from([parse_root_certificate, parse_issuer_certificate, parse_machine_certificate, parse_request])
_originals = st.sampled_from([_FLEET.root, _FLEET.issuer, _LEAF, certificate_request(key_from("new"), _MACHINE)])


@given(_parsers, st.binary(max_size=600))
def test_any_bytes_are_a_certificate_or_a_documented_error(parser: object, data: bytes) -> None:
    """Invariant: accepted, or a documented error."""
    assert callable(parser)
    accepted_or_documented(lambda: parser(data))


@given(_parsers, _originals, st.integers(0, 599), st.integers(1, 255))
def test_a_damaged_certificate_is_accepted_or_a_documented_error(
    parser: object, der: bytes, at: int, change: int
) -> None:
    """Invariant: accepted, or a documented error, for every changed byte of a real one."""
    assert callable(parser)
    damaged = bytearray(der)
    damaged[at % len(der)] ^= change
    accepted_or_documented(lambda: parser(bytes(damaged)))


@given(st.integers(0, len(_LEAF) * 8 - 1))
def test_a_leaf_with_one_flipped_bit_has_no_chain(bit: int) -> None:
    """Invariant: no single bit of a certificate can be changed without a documented refusal."""
    damaged = bytearray(_LEAF)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerFault):
        verify_machine_chain(bytes(damaged), _FLEET.issuer, root=_ROOT)


def test_bits_of_the_signature_that_are_called_unused_are_refused() -> None:
    """The leaf's signature ends with two zero bits, found by flipping every bit of it; libraries read over this."""
    assert _LEAF[-1] & 0b11 == 0
    for unused in (1, 2):
        damaged = _LEAF[:-65] + bytes([unused]) + _LEAF[-64:]
        assert x509.load_der_x509_certificate(damaged).signature == _LEAF[-64:]
        refused_with("bad_certificate", functools.partial(verify_machine_chain, damaged, _FLEET.issuer, root=_ROOT))


def test_a_certificate_is_read_once_and_its_signature_verified_once() -> None:
    form = load_certificate(_LEAF)
    assert load_certificate(bytes(bytearray(_LEAF))) is form
    assert verify_machine_chain(_LEAF, _FLEET.issuer, root=_ROOT) == verify_machine_chain(
        _LEAF, _FLEET.issuer, root=_ROOT
    )


def test_what_is_remembered_of_one_signer_says_nothing_of_another() -> None:
    leaf, other = load_certificate(_LEAF), load_certificate(ExampleFleet(name="Others").issuer)
    leaf.require_signed_by(load_certificate(_FLEET.issuer))
    for _ in range(2):  # a refusal is not remembered as anything else
        refused_with("bad_signature", lambda: leaf.require_signed_by(other))
        refused_with("bad_certificate", lambda: load_certificate(_LEAF[:-1]))


def test_fleet_ids_are_bytes_and_shown_in_hex() -> None:
    assert FleetId(_FLEET.root_key.key_id) == _FLEET.fleet
    assert _FLEET.fleet.hex() in str(x509.load_der_x509_certificate(_LEAF).extensions)
