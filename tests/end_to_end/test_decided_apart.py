"""Two machines decide opposite things while they do not see each other: the case that the project began with.

``alice`` decides, and with ``clara`` applies it, while ``berta`` is away. ``berta``, alone, proposes the opposite, and
comes back. What happens then is told for each conflict strategy; one absence serves them all, because each has a
resource of its own.

``berta`` is stopped, and started when the others stand still. By hand also with its computer cut off from the network
(Linux, root): ``ROOSYNC_TEST_AWAY="stopped,cut off"``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from roosync_p2p.errors import UndecidedError
from tests.helpers.fleet import Fleet, Machine, until
from tests.helpers.netlab import Lab, netlab_missing
from tests.helpers.recorder import Recorder

_NAMES: Final = ("alice", "berta", "clara")
_PORT: Final = 47600
_AWAY: Final = os.environ.get("ROOSYNC_TEST_AWAY", "stopped").split(",")
_STRATEGIES: Final = '{"*": "manual", "config:remote": "auto-remote", "config:local": "auto-local"}'
_MANUAL: Final = ("earlier", "later", "third", "asked")
_RESOURCES: Final = {
    **{name: f"config:{name}.json#/python" for name in (*_MANUAL, "insisted")},
    **{name: f"config:{name}/ci.json#/python" for name in ("remote", "local", "careful")},
    "careful": "config:remote/careful.json#/python",
}
# What berta sets there lies above or below what alice set: resources overlap, they need not be equal.
_WIDER: Final = frozenset({"later", "remote"})


@dataclass
class Story:
    """What was decided apart, by resource: the earlier decision and the later proposal."""

    fleet: Fleet
    earlier: dict[str, str] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)
    proposed: dict[str, Any] = field(default_factory=dict)
    waited: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, Recorder] = field(default_factory=dict)

    @property
    def alice(self) -> Machine:
        """The founder, the only one who may approve."""
        return self.fleet.machines["alice"]

    @property
    def berta(self) -> Machine:
        """Who was away."""
        return self.fleet.machines["berta"]

    def shown(self, name: str) -> dict[str, Any]:
        """A decision, which every machine shows alike."""
        views = [_decision(machine, name) for machine in self.fleet.running()]
        assert all(view == views[0] for view in views), views
        return views[0]

    def states(self, resource: str) -> tuple[str, str]:
        """Of the earlier and of the later decision, everywhere."""
        return self.shown(self.earlier[resource])["state"], self.shown(self.later[resource])["state"]

    def agree(self) -> None:
        """All are equally far, with the same state."""
        until(
            lambda: len({_agreed(machine) for machine in self.fleet.running()}) == 1,
            30,
            what="number, digest and root are one",
            shown=lambda: [_agreed(machine) for machine in self.fleet.running()],
        )


def _decision(machine: Machine, name: str) -> dict[str, Any]:
    shown = machine.client.decision(name)
    assert shown["stale"] is False
    (decision,) = shown["decisions"]
    assert isinstance(decision, dict)
    return decision


def _agreed(machine: Machine) -> tuple[int, str, str]:
    commit = machine.client.status()["commit"]
    return commit["size"], commit["digest"], machine.client.voters()["root"]


@pytest.fixture(scope="module", params=_AWAY)
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    if request.param == "cut off" and netlab_missing():
        pytest.skip(netlab_missing())
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(Lab(3)) if request.param == "cut off" else None
        wraps = [functools.partial(lab.argv, number) for number in range(3)] if lab else []
        listens = [f"{lab.address(number)}:{_PORT}" for number in range(3)] if lab else []
        fleet = stack.enter_context(Fleet.found(*_NAMES, wraps=wraps, listens=listens))
        fleet.start_all()
        fleet.until_linked()
        story = Story(fleet)
        story.alice.run("policy", "set", "conflict.strategy", _STRATEGIES, "--approve")
        story.agree()
        story.heard["alice"] = stack.enter_context(story.alice.record())
        _away(story, lab)
        story.heard["berta"] = stack.enter_context(story.berta.record())
        _back(story, lab)
        yield story


def _away(story: Story, lab: Lab | None) -> None:
    """berta goes, the others decide, and berta proposes the opposite without having heard of it."""
    berta = story.berta
    if lab is None:
        berta.stop()
    else:
        lab.cut(1)
    for resource in _RESOURCES:
        _decide_and_apply(story, resource)
    if lab is None:
        for machine in _others(story):
            machine.signal(signal.SIGSTOP)
        berta.start()
        berta.until_ready()
    for resource in _RESOURCES:
        _propose_the_opposite(story, resource)


def _others(story: Story) -> list[Machine]:
    return [machine for machine in story.fleet.machines.values() if machine is not story.berta]


def _back(story: Story, lab: Lab | None) -> None:
    if lab is None:
        for machine in _others(story):
            machine.signal(signal.SIGCONT)
    else:
        lab.heal(1)
    for resource, waited in story.waited.items():
        entry = waited["details"]["entry"]
        until(
            lambda entry=entry: story.berta.client.pending_request(entry)["state"] == "decided",  # type: ignore[misc]
            50,
            what="what waited is decided",
            shown=story.fleet.report,
        )
        outcome = story.berta.json("pending", entry)
        assert outcome["outcome"]["accepted"] is True
        story.later[resource] = f"D{outcome['commit_number']}"
        story.proposed[resource] = outcome["outcome"]["detail"]
    story.agree()


def _decide_and_apply(story: Story, resource: str) -> None:
    alice, clara = story.alice, story.fleet.machines["clara"]
    action = {"op": "set", "resource": _RESOURCES[resource], "value": "3.12"}
    decided = alice.client.propose(f"Python 3.12 for {resource}", [action], targets=["all"], approve=True)
    assert decided["state"] == "approved"
    for machine in (alice, clara):
        machine.client.apply_decision(decided["id"], "start")
        machine.client.apply_decision(decided["id"], "applied", backup=True)
    story.earlier[resource] = decided["id"]


def _propose_the_opposite(story: Story, resource: str) -> None:
    what, value = _RESOURCES[resource], '"3.13"'
    if resource in _WIDER:
        what, value = what.removesuffix("/python"), '{"python": "3.13"}'
    if resource == "insisted":  # the command line has no way to ask for another strategy than manual
        with pytest.raises(UndecidedError) as raised:
            story.berta.client.propose(
                f"Python 3.13 for {resource}",
                [{"op": "set", "resource": what, "value": "3.13"}],
                targets=["all"],
                strategy="auto-local",
                ordering={"timeout_s": 0.2},
            )
        story.waited[resource] = {"code": raised.value.code, "details": raised.value.details}
        return
    manual = ["--manual"] if resource == "careful" else []
    story.waited[resource] = story.berta.refusal(
        *("decision", "propose", f"Python 3.13 for {resource}", "--target", "all", *manual),
        *("--set", what, value, "--timeout", "0.2"),
        code=4,
    )


def test_who_is_alone_is_told_that_the_proposal_waits_and_for_whom(story: Story) -> None:
    for waited in story.waited.values():
        assert waited["code"] == "pending"
    assert "alice" in story.waited["later"]["message"]


def test_every_machine_shows_the_conflict_and_both_authors_are_told(story: Story) -> None:
    for resource, later in story.later.items():
        earlier = story.earlier[resource]
        shown = story.shown(later)
        assert (shown["state"], shown["author"], shown["conflicts_with"]) == ("pending", "berta", [earlier])
        assert shown["based_on"] < int(earlier[1:]) < shown["commit_number"], "it had not seen the earlier one"
        assert story.shown(earlier)["conflicts_with"] == [later]
        (conflict,) = story.proposed[resource]["conflicts"]
        assert (conflict["decision"], conflict["in_effect"]) == (earlier, True), "with what it would undo"
        for recorder in story.heard.values():
            told = recorder.wait("decision.conflict", within_s=30, decision=later).event.data
            assert {"alice", "berta"} <= set(told["to"])
            assert told["conflicts"] == [conflict]
    for machine in story.fleet.running():
        text = machine.run("decision", "show", story.later["later"]).stdout
        assert story.earlier["later"] in text


def test_what_was_approved_is_not_undone_by_a_proposal(story: Story) -> None:
    for earlier in story.earlier.values():
        shown = story.shown(earlier)
        targets = {name: (target["state"], target.get("rollback")) for name, target in shown["targets"].items()}
        assert targets["alice"][0] == targets["clara"][0] == "applied"
        assert not any(rollback for _, rollback in targets.values())
        assert (shown["state"], shown["superseded_by"]) == ("in_progress", None), "berta has it still to do"


def test_auto_remote_keeps_what_the_fleet_has_decided(story: Story) -> None:
    approved = story.alice.json("decision", "approve", story.later["remote"])
    assert (approved["state"], approved["superseded_by"]) == ("superseded", story.earlier["remote"])
    assert story.states("remote") == ("in_progress", "superseded")
    assert story.berta.json("decision", "apply", story.earlier["remote"])["state"] == "in_progress"
    applied = story.berta.json("decision", "apply", story.earlier["remote"], "--done")
    assert applied["state"] == "applied"
    assert story.berta.refusal("decision", "apply", story.later["remote"])["code"] == "wrong_state"


def test_auto_local_lets_the_later_one_win_and_undoes_the_earlier_where_it_was_applied(story: Story) -> None:
    approved = story.alice.json("decision", "approve", story.later["local"])
    assert approved["state"] == "approved"
    _later_wins(story, "local")


def test_a_proposal_may_ask_for_more_care_than_the_policy(story: Story) -> None:
    assert story.alice.json("decision", "approve", story.later["careful"])["state"] == "conflicted"
    assert story.states("careful") == ("in_progress", "conflicted")


def test_a_proposal_cannot_ask_to_win(story: Story) -> None:
    assert story.proposed["insisted"]["warnings"] == ["strategy: a proposal may ask for manual only; the policy counts"]
    assert story.alice.json("decision", "approve", story.later["insisted"])["state"] == "conflicted"
    assert story.states("insisted") == ("in_progress", "conflicted")


def test_manual_waits_for_somebody_to_resolve_and_tells_both_authors(story: Story) -> None:
    for resource in _MANUAL:
        assert story.alice.json("decision", "approve", story.later[resource])["state"] == "conflicted"
        for recorder in story.heard.values():
            told = recorder.wait("decision.conflicted", within_s=30, decision=story.later[resource]).event.data
            assert {"alice", "berta"} <= set(told["to"])
        assert story.states(resource) == ("in_progress", "conflicted")
    for machine in (story.berta, story.fleet.machines["clara"]):
        refused = machine.refusal("decision", "resolve", story.later["asked"], "--keep", story.later["asked"])
        assert refused["code"] == "no_authority"
    assert story.states("asked") == ("in_progress", "conflicted"), "still nothing was undone"


def test_a_resolution_for_the_earlier_one_leaves_it_as_it_is(story: Story) -> None:
    later, earlier = story.later["earlier"], story.earlier["earlier"]
    assert story.alice.json("decision", "resolve", later, "--keep", earlier)["state"] == "superseded"
    assert story.states("earlier") == ("in_progress", "superseded")
    assert story.shown(later)["superseded_by"] == earlier
    assert not any(target.get("rollback") for target in story.shown(earlier)["targets"].values())


def test_a_resolution_for_the_later_one_undoes_the_earlier(story: Story) -> None:
    later = story.later["later"]
    assert story.alice.json("decision", "resolve", later, "--keep", later)["state"] == "approved"
    _later_wins(story, "later")


def test_a_merged_third_takes_the_place_of_both_when_it_is_approved(story: Story) -> None:
    earlier, later = story.earlier["third"], story.later["third"]
    clara = story.fleet.machines["clara"]
    merged = clara.json(
        *("decision", "propose", "Both, for a while", "--target", "all"),
        *("--set", _RESOURCES["third"], '["3.12", "3.13"]'),
    )
    resolved = story.alice.json("decision", "resolve", later, "--keep", merged["id"])
    assert (resolved["state"], resolved["superseded_by"]) == ("superseded", merged["id"])
    assert story.states("third") == ("in_progress", "superseded"), "the third is not approved yet"
    assert story.alice.json("decision", "approve", merged["id"])["state"] == "approved"
    assert story.states("third") == ("superseded", "superseded")
    shown = story.shown(earlier)
    assert shown["superseded_by"] == merged["id"]
    assert not any(target.get("rollback") for target in shown["targets"].values()), "it was replaced, not undone"


def test_in_the_end_every_machine_has_the_same_log_and_state(story: Story) -> None:
    story.agree()
    logs = [machine.json("log", "--from", "1")["entries"] for machine in story.fleet.running()]
    assert logs[0] == logs[1] == logs[2]


def _later_wins(story: Story, resource: str) -> None:
    """The earlier one is superseded; who applied it is asked to undo it, and who had not begun does not begin."""
    earlier, later = story.earlier[resource], story.later[resource]
    assert story.states(resource) == ("superseded", "approved")
    shown = story.shown(earlier)
    assert shown["superseded_by"] == later
    states = {name: (target["state"], target.get("rollback")) for name, target in shown["targets"].items()}
    assert states["alice"] == states["clara"] == ("applied", "wanted")
    assert states["berta"][0] == "rolled_back"
    assert story.berta.refusal("decision", "apply", earlier)["code"] == "wrong_state"
    for machine in _others(story):
        machine.run("decision", "rollback", earlier, "--done")
        machine.client.apply_decision(later, "start")
        machine.client.apply_decision(later, "applied")
    assert {target["state"] for target in story.shown(earlier)["targets"].values()} == {"rolled_back"}
