"""Errors over HTTP and back."""

from __future__ import annotations

import pytest

from roosync_p2p import errors
from roosync_p2p.api.answers import problem_response
from roosync_p2p.api.problems import error_of, problem_of
from roosync_p2p.errors import InputFault, RoosyncError, StoreError

FAULTS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_class_of_error_comes_back_as_itself(fault: type[RoosyncError]) -> None:
    error = fault("it failed", code="some_code", remedy="do this", details={"limit": 3})
    problem = problem_of(error)
    back = error_of(problem)
    assert type(back) is fault
    assert back.diagnostics() == error.diagnostics()
    assert 400 <= problem["status"] < 600


def test_a_private_subclass_comes_back_as_its_public_parent() -> None:
    class PageMissingError(StoreError):
        """Not in the public tree."""

    assert type(error_of(problem_of(PageMissingError("x")))) is StoreError


def test_a_problem_of_a_newer_node_is_still_an_error() -> None:
    back = error_of({"fault": "QuorumError", "code": "no_quorum", "detail": "two of five", "details": 3})
    assert (type(back), back.code, back.message, back.details) == (RoosyncError, "no_quorum", "two of five", {})


@pytest.mark.parametrize(("code", "status"), [("no_such_message", 404), ("too_large", 413), ("anything", 409)])
def test_the_status_follows_the_code_then_the_fault(code: str, status: int) -> None:
    assert problem_of(InputFault("x", code=code))["status"] == status


def test_what_is_too_much_now_says_when_to_try_again() -> None:
    fault = errors.InputFault("too fast", code="sending_too_fast", details={"retry_after_s": 40})
    answered = problem_response(fault)
    assert (answered.status_code, answered.headers["retry-after"]) == (429, "40")
