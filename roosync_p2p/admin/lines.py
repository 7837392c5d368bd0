"""Text for a person, from the objects that ``--json`` prints. Quick to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roosync_p2p.api.terminal import safe_line

__all__ = ["certificate_lines", "columns", "fleet_lines", "list_lines"]


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """Left-aligned columns, two blanks between them; text from elsewhere is made safe."""
    cells = [[safe_line(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))] if cells else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def list_lines(document: Mapping[str, Any]) -> list[str]:
    """``list``: machines, issuers, invites."""
    machines = [("machine", "state", "valid until", "days left", "key")] + [
        (
            row["machine"] + (" (this one)" if row["self"] else ""),
            row["state"] or "-",
            row["not_after"],
            row["days_left"],
            row["key"][:16],
        )
        for row in document["machines"]
    ]
    issuers = [("issuer", "valid until", "days left", "key")] + [
        (row["machine"], row["not_after"], row["days_left"], row["key"][:16]) for row in document["issuers"]
    ]
    lines = [f"fleet {safe_line(document['fleet_name'])}  {document['fleet']}", "", *columns(machines)]
    lines += ["", *columns(issuers)]
    if "invites" in document:
        invites = [("invite", "for", "state", "expires", "used as")] + [
            (row["invite"], row["machine"] or "any", row["state"], row["expires"], row["used_as"] or "-")
            for row in document["invites"]
        ]
        lines += ["", *(columns(invites) if document["invites"] else ["no invites"])]
    return lines


def fleet_lines(document: Mapping[str, Any]) -> list[str]:
    """``show``: the fleet, then its certificates."""
    root_key = document["root_key"]
    where = root_key["path"] if root_key["present"] else "not in this home"
    if root_key["present"]:
        where += " (encrypted)" if root_key["encrypted"] else " (without a passphrase)"
    facts = [
        ("fleet", document["fleet_name"]),
        ("fleet id", document["fleet"]),
        ("machine", document["machine"] + (" (issuer)" if document["is_issuer"] else "")),
        ("root key", where),
    ]
    return [*columns(facts), *certificate_lines(document["certificates"])]


def certificate_lines(certificates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each certificate after an empty line."""
    lines = []
    for one in certificates:
        facts = [
            ("certificate", one["kind"]),
            ("machine", one["machine"] or "-"),
            ("fleet id", one["fleet"]),
            ("key id", one["key"]),
            ("issued by", one["issued_by"]),
            ("valid", f"{one['not_before']} to {one['not_after']}, {_days(one['days_left'])}"),
            ("sha256", one["fingerprint"]),
            ("trusted", {True: "yes", False: "NO: this fleet does not vouch for it", None: "unknown"}[one["trusted"]]),
        ]
        lines += ["", *columns(facts)]
    return lines


def _days(days: int) -> str:
    return f"{days} days left" if days >= 0 else "EXPIRED"
