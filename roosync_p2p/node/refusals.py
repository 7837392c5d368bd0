"""What the ledger's refusals mean to a person: for each reason a sentence and a remedy (docs/protocol/ledger.md).

The reason is the code of the error, which scripts rely on. The ledger's facts are its details, under the names that
the answers have too. What happened to the state is the same for all: nothing was changed, and the refusal stands in
the log.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from roosync_p2p.errors import InputFault

__all__ = ["REFUSALS", "Said", "refusal"]


class Said(NamedTuple):
    """A sentence and what helps; ``{…}`` are facts of the refusal."""

    sentence: str
    remedy: str = ""


_WHO_IS_MEMBER: Final = "`roosync-admin list` shows who is a member"
_WHO_APPROVES: Final = "`roosync machines --json` shows the roles; ask a machine that has it"
_SHOW: Final = "`roosync decision show {decision}`"

REFUSALS: Final[Mapping[str, Said]] = MappingProxyType(
    {
        # claims
        "claim_held": Said(
            "{name} is held by {holder} since {since} until {until}",
            "wait for it with --wait SECONDS or --queue; an approver can take it with `roosync claim steal`",
        ),
        "not_holder": Said(
            "this session does not hold {name}",
            "`roosync claims` shows who does; a session of its own secret needs ROOSYNC_SESSION set to it",
        ),
        "expired": Said("the claim on {name} ran out at {until}", "claim it again with `roosync claim {name}`"),
        "queue_full": Said("too many wait for {name} already", "try later"),
        "too_many_claims": Said("the fleet holds as many claims as it can", "release some: `roosync claims`"),
        "fenced": Said(
            "the claim on {name} is not held with token {token} any more",
            "somebody else may have it: stop what it protects, and look at `roosync claims`",
        ),
        # time and epochs
        "too_late": Said("it was decided too late for who asked", "ask again, with a larger --timeout"),
        "old_epoch": Said("it was written before the fleet was recovered, and is void now", "ask again"),
        "wrong_epoch": Said("it is of another epoch of the commit log", "see `roosync voters`"),
        "wrong_base": Said(
            "the statement is for a commit log of {size} entries, and this one has grown since",
            "make another statement with `roosync-admin recover`",
        ),
        # members and authority
        "not_founded": Said("the fleet's founding is not ordered yet", "start the founding machine"),
        "already_founded": Said("the fleet is founded already"),
        "not_the_founder": Said("only {founder} can found this fleet"),
        "not_a_member": Said("{machine} is no member of the fleet any more, or not yet", _WHO_IS_MEMBER),
        "unknown_member": Said("{machine} is no member of the fleet", _WHO_IS_MEMBER),
        "already_member": Said("{machine} is a member already", _WHO_IS_MEMBER),
        "no_authority": Said("this machine may not do that: it takes {needs}", _WHO_APPROVES),
        "not_the_author": Said("only the machine that it speaks of, or that wrote it, may do that"),
        "needs_root": Said(
            "{machine} is an issuer: the root key has to say that it goes", "revoke it with the root's key"
        ),
        "bad_role": Said("the roles do not fit together"),
        "invite_used": Said("the invite was used already", "make another with `roosync-admin invite`"),
        "key_conflict": Said("{machine} is a member with another key", "choose another machine id"),
        "other_key": Said("the statement names another key than that of {machine}", "make another"),
        "key_retired": Said("that key was given up once, and never comes back", "make a new one"),
        "wrong_key": Said("the certificate is for another machine or key"),
        "already_ordered": Said("another entry of {machine} has that place in the order already"),
        "already_used": Said("the statement was used already: each counts once", "make another"),
        "other_statement": Said("the root's statement is about something else"),
        "not_root": Said("the statement is not signed by the fleet's root"),
        # persons
        "already_known": Said("{person} approves already", "`roosync-admin person rotate {person}` gives another key"),
        "unknown_person": Said("there is no person {person} in this fleet", "see `roosync-admin person list`"),
        "bad_signature": Said(
            "the signature is not {person}'s over this verdict", "sign with the key that the fleet knows"
        ),
        # decisions
        "unknown_decision": Said("there is no decision {decision}", "see `roosync decision list`"),
        "wrong_state": Said("that cannot be done to a decision that is {state}", "see `roosync decision list`"),
        "stale_revision": Said("{decision} was edited since it was read", f"read it again: {_SHOW}"),
        "needs_person": Said(
            "only persons decide in this fleet: {persons}", "approve as one of them, at a terminal: --as PERSON"
        ),
        "own_decision": Said(
            "{decision} is this machine's own, and another approver has to say yes", "ask another approver, or a person"
        ),
        "not_based_on_both": Said(
            "{decision} was written before both were known, at commit {based_on}", "propose it again, or revise it"
        ),
        "nothing_to_do": Said("there is nothing that it would change"),
        "nothing_to_undo": Said("nothing of {decision} is left to undo", f"look at it: {_SHOW}"),
        "bad_action": Said("an action is not complete, or not possible here: {resource}", "see docs/guide/deciding.md"),
        "bad_based_on": Said("commit {based_on} is not there yet", "leave out --based-on"),
        "reserved_resource": Said(
            "{resource} has a command of its own", "`roosync policy set`, `roosync voters prefer`"
        ),
        "unknown_target": Said("no such members, or no target at all: {machines}", "name them, or all: --target all"),
        "too_many_decisions": Said("{most} decisions wait already", "approve or reject some: `roosync decision list`"),
        "too_many_resources": Said("it changes more than {most} places", "make two decisions of it"),
        "not_a_target": Said("this machine is no target of {decision}", f"look at it: {_SHOW}"),
        "attempt_taken": Said("attempt {attempt} was taken already, by {session}", f"look at it: {_SHOW}"),
        "wrong_attempt": Said("this machine is {state} with it, at attempt {attempt}", "see `roosync decision list`"),
        # baseline and policies
        "unknown_version": Said("the baseline has no version {version}", "see `roosync baseline history`"),
        "baseline_too_large": Said("the baseline would have {bytes} bytes, and {most} are allowed"),
        "unknown_policy": Said("there is no policy {name}", "see `roosync policy show`"),
        "bad_policy_value": Said("that is no value for {name}: {meaning}", "see `roosync policy show`"),
        # rules
        "unknown_kind": Said("the fleet's rules do not know {kind} yet", "update roosync on every machine"),
        "already_active": Said("the fleet follows rules of version {version} already"),
        "not_supported": Said("not every voter knows rules of version {version}", "update roosync on {missing}"),
    }
)

# The same reason about another kind of entry.
_OF_KIND: Final[Mapping[tuple[str, str], Said]] = MappingProxyType(
    {
        ("request.withdraw", "too_late"): Said(
            "it cannot be taken back any more", "see what became of it: `roosync log`"
        ),
        ("voters.prefer", "unknown_target"): Said("no such members: {machines}", _WHO_IS_MEMBER),
        ("decision.rollback", "too_late"): Said(
            "it was applied more than {days} days ago", "propose a decision that says otherwise"
        ),
    }
)

_UNKNOWN: Final = Said("the ledger refuses it: {reason}", "see `roosync log`, and docs/protocol/ledger.md")


def refusal(reason: str, detail: Mapping[str, Any], *, kind: str, facts: Mapping[str, object]) -> InputFault:
    """The error of a refused entry.

    Args:
        detail: what the ledger says.
        facts: where the entry stands.
    """
    details = {**detail, **facts}
    if "acquired_at" in details:
        details["since"], details["until"] = details["acquired_at"], details["expires_at"]
    said = _OF_KIND.get((kind, reason)) or REFUSALS.get(reason, _UNKNOWN)
    words = collections.defaultdict(lambda: "?", {name: _in_words(value) for name, value in details.items()})
    words["reason"] = reason
    return InputFault(
        said.sentence.format_map(words), code=reason, remedy=said.remedy.format_map(words), details=details
    )


def _in_words(value: object) -> str:
    if isinstance(value, Mapping) and "machine" in value:
        return _session_in_words(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value))
    return str(value)


def _session_in_words(holder: Mapping[str, Any]) -> str:
    workspace, session = holder.get("workspace"), str(holder.get("session", ""))
    parts = [f"workspace {workspace}"] if workspace else []
    parts += [f"session {session[:12]}"] if session else []
    return str(holder["machine"]) + (f" ({', '.join(parts)})" if parts else "")
