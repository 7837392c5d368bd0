"""``roosync-admin person``: people who approve, so that no agent can approve in their name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from roosync_p2p.admin.lines import columns
from roosync_p2p.api.terminal import Invocation, common_options, safe_line

if TYPE_CHECKING:
    from roosync_p2p.admin.persons import Keys

__all__ = ["person"]

_NAME = click.argument("name")
_LABEL = click.option("--label", default="", metavar="TEXT", help="What people call them.")


@click.group()
def person() -> None:
    """Name the people who approve. Once there is one, only persons count, and no machine.

    Each change takes the root key and goes through the running node.

    \b
    Examples:
      roosync-admin person add jsboige --label "Jean-Sylvain"
      roosync-admin person list
    """


@person.command("add")
@_NAME
@_LABEL
@common_options
def add(invocation: Invocation, name: str, label: str) -> None:
    """Add a person: makes their key in this home, protected by their own passphrase.

    Asks for the root key's passphrase and, twice, for the person's, which only a terminal can give. The key is
    persons/NAME.key in this home; take it to the machine where the person approves.

    \b
    Example:
      roosync-admin person add jsboige --label "Jean-Sylvain"
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.person_keys import parse_person  # noqa: PLC0415 - the same
    from roosync_p2p.admin.persons import add_person  # noqa: PLC0415 - the same

    chosen = parse_person(name)
    _print(invocation, add_person(Home(invocation.home), chosen, label, _keys(invocation, chosen)), "approves from now")


@person.command("rotate")
@_NAME
@_LABEL
@common_options
def rotate(invocation: Invocation, name: str, label: str) -> None:
    """Give a person another key, because the old one is lost or known to somebody.

    \b
    Example:
      roosync-admin person rotate jsboige
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.person_keys import parse_person  # noqa: PLC0415 - the same
    from roosync_p2p.admin.persons import rotate_person  # noqa: PLC0415 - the same

    chosen = parse_person(name)
    _print(invocation, rotate_person(Home(invocation.home), chosen, label, _keys(invocation, chosen)), "has a new key")


@person.command("remove")
@_NAME
@common_options
def remove(invocation: Invocation, name: str) -> None:
    """Remove a person: what they signed and is not decided counts no more.

    \b
    Example:
      roosync-admin person remove jsboige
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.person_keys import parse_person  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same
    from roosync_p2p.admin.persons import remove_person  # noqa: PLC0415 - the same

    removed = remove_person(
        Home(invocation.home), parse_person(name), lambda: open_root_key(invocation.home, os.environ)
    )
    _print(invocation, removed, "approves no more")


@person.command("list")
@common_options
def list_persons(invocation: Invocation) -> None:
    """Who approves, as the fleet has decided it.

    \b
    Example:
      roosync-admin person list
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.persons import known_persons  # noqa: PLC0415 - the same

    document = known_persons(Home(invocation.home))
    if invocation.as_json:
        invocation.print_json(document)
    elif document["persons"]:
        rows = [(row["person"], row["label"], row["key"][:16]) for row in document["persons"]]
        invocation.print("\n".join(columns([("person", "label", "key"), *rows])))
    else:
        machines = ", ".join(map(safe_line, document["approvers"]))
        invocation.print(f"no persons; until there is one these machines approve: {machines}")


def _keys(invocation: Invocation, name: str) -> Keys:
    from roosync_p2p.admin.passphrases import new_person_passphrase, open_root_key  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.persons import Keys  # noqa: PLC0415 - the same

    return Keys(root=lambda: open_root_key(invocation.home, os.environ), passphrase=lambda: new_person_passphrase(name))


def _print(invocation: Invocation, document: dict[str, Any], what: str) -> None:
    if invocation.as_json:
        invocation.print_json(document)
        return
    invocation.print(f"{document['person']} {what}, commit {document['commit_number']}")
    if "file" in document:
        invocation.print(f"the key: {safe_line(document['file'])}; keep a copy, and its passphrase in mind")
