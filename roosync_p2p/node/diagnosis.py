"""What only a running node can check about itself (``roosync doctor``)."""

from __future__ import annotations

from typing import Final

import anyio.to_thread

from roosync_p2p.core import view
from roosync_p2p.core.folder.health import folder_status
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.errors import StoreError
from roosync_p2p.ids import MachineId
from roosync_p2p.node.reminders import reminders
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.trust.certificates import parse_machine_certificate

__all__ = ["Check", "bad", "check_certificate", "diagnose", "good"]

CLOCK_OFFSET_MS_WORRYING: Final = 5_000  # links and signatures tolerate it; timestamps begin to mislead people
CERTIFICATE_DAYS_WORRYING: Final = 60

Check = dict[str, object]
_MILD: Final = frozenset({"session_zombie", "mail_quota", "wake_failed"})  # the node does what it should all the same


async def diagnose(core: NodeCore, around: Surroundings) -> list[Check]:
    """All checks, the good ones too."""
    checks = [
        _listening(around),
        _links(core),
        _clock(core),
        check_certificate(core.me, core.desk.identity.leaf, around.now().wall_ms),
        await _store(around),
        _mdns(around),
        _folder(core),
    ]
    for warning in (*view.warnings(core), *around.of_parts()):
        code = str(warning["code"])
        severity = "warning" if code in _MILD else "error"
        checks.append(bad(code, severity, str(warning["message"]), str(warning["remedy"])))
    checks += [
        bad(str(one["code"]), "warning", str(one["message"]), str(one["remedy"])) for one in reminders(core, around)
    ]
    return checks


def _listening(around: Surroundings) -> Check:
    where = ", ".join(around.listening)
    reachable = ", ".join(around.reachable) or "no address that others could use"
    return good("listening", f"listens at {where}; tells others {reachable}")


def _links(core: NodeCore) -> Check:
    others = [machine for machine in core.members() if machine != core.me and not view.has_gone(core, machine)]
    linked = core.links.peers()
    lines = [
        f"{machine}: {core.dialling.detail(machine) or 'no address is known'}"
        for machine in others
        if machine not in linked
    ]
    lines += core.dialling.unmet()
    if not lines:
        alone = "this machine is the only member that it knows"
        return good("links", f"linked with all {len(others)} others" if others else alone)
    if linked:
        return bad("links", "info", f"{len(linked)} of {len(others)} linked; " + "; ".join(lines), "")
    return bad(
        "links",
        "warning",
        "no other machine is linked; " + "; ".join(lines),
        "start `roosync up` there, check the firewall, or name an address: [discovery] peers, --peer",
    )


def _clock(core: NodeCore) -> Check:
    offset_ms = core.presence.liveness.clock_offset_ms(core.desk.now)
    if offset_ms is None:
        return good("clock", "no other clock to compare with")
    if abs(offset_ms) <= CLOCK_OFFSET_MS_WORRYING:
        return good("clock", f"this clock is within {abs(offset_ms) / 1000:.1f} s of the fleet's")
    word = "ahead of" if offset_ms > 0 else "behind"
    return bad(
        "clock",
        "warning",
        f"this clock is {abs(offset_ms) / 1000:.0f} s {word} the fleet's",
        "let the system set its clock by the network",
    )


def check_certificate(machine: MachineId, leaf: bytes, now_ms: int) -> Check:
    """How long a machine's certificate is valid by this clock."""
    certificate = parse_machine_certificate(leaf)
    days = (certificate.not_after_s - now_ms // 1000) // 86_400
    if not certificate.not_before_s <= now_ms // 1000 <= certificate.not_after_s:
        return bad(
            "certificate",
            "error",
            f"by this clock the certificate of {machine} is not valid now (it ends in {days} days)",
            "check the clock first; then ask an issuer for a new certificate",
        )
    if days < CERTIFICATE_DAYS_WORRYING:
        return bad("certificate", "warning", f"the certificate ends in {days} days", "ask an issuer for a new one")
    return good("certificate", f"the certificate is valid for {days} more days")


async def _store(around: Surroundings) -> Check:
    try:
        await anyio.to_thread.run_sync(around.store.check)
        facts = await anyio.to_thread.run_sync(around.store.facts)
    except StoreError as error:
        return bad("store", "error", error.message, error.remedy)
    size = (facts.database_bytes + facts.log_bytes) / (1024 * 1024)
    return good("store", f"{facts.path} is whole, {size:.1f} MiB, SQLite {facts.sqlite_version}")


def _mdns(around: Surroundings) -> Check:
    if not around.mdns:
        return good("mdns", "discovery on the LAN is off")
    if around.mdns_warning:
        return bad("mdns", "warning", around.mdns_warning, "name the others' addresses: [discovery] peers, --peer")
    return good("mdns", "discovery on the LAN works")


def _folder(core: NodeCore) -> Check:
    """What is wrong with it is among the warnings."""
    status = folder_status(core)
    if status is None:
        return good("folder", "no shared folder is configured: [folder] path, or `roosync up --folder`")
    lag = "its lag is not measured yet" if status["lag_s"] is None else f"it is {status['lag_s']} s late"
    seen = f"{status['path']}: {status['state']}, {status['machines']} other machines, {lag}"
    return good("folder", f"{seen}, {status['writes_per_minute']} writes a minute")


def good(check: str, message: str) -> Check:
    """A check that found nothing."""
    return {"id": check, "ok": True, "severity": "info", "message": message, "remedy": ""}


def bad(check: str, severity: str, message: str, remedy: str) -> Check:
    """A finding: ``error``, ``warning`` or ``info``."""
    return {"id": check, "ok": False, "severity": severity, "message": message, "remedy": remedy}
