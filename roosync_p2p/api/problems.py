"""Our errors as RFC 9457 problem documents, and back: a client raises what the node raised.

``fault`` is the name of the class in :mod:`~roosync_p2p.errors`; a name that this version does not know becomes the
closest it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roosync_p2p import errors
from roosync_p2p.errors import RoosyncError

__all__ = ["error_of", "problem_of"]

_STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "unauthorized": 401,
    "forbidden_host": 403,
    "forbidden_origin": 403,
    "no_such_route": 404,
    "no_such_message": 404,
    "no_such_machine": 404,
    "no_such_request": 404,
    "no_such_fork": 404,
    "unknown_decision": 404,
    "wrong_method": 405,
    "too_large": 413,
    "not_json": 415,
    "sending_too_fast": 429,
    "mail_quota": 429,
}
_STATUS_OF_FAULT: Final[tuple[tuple[type[RoosyncError], int], ...]] = (  # the first that fits
    (errors.UsageError, 400),
    (errors.InputFault, 409),
    (errors.ConflictError, 409),
    (errors.UntrustedError, 403),
    (errors.PeerFault, 422),
    (errors.EnvironmentFault, 503),
    (errors.UndecidedError, 504),
    (errors.NotRunningError, 503),
)
_FAULTS: Final[Mapping[str, type[RoosyncError]]] = {name: getattr(errors, name) for name in errors.__all__}


def problem_of(error: RoosyncError) -> dict[str, Any]:
    """The problem document of an error; ``status`` is the HTTP status to send it with."""
    by_fault = next((status for fault, status in _STATUS_OF_FAULT if isinstance(error, fault)), 500)
    return {
        "type": "about:blank",
        "title": error.code.replace("_", " "),
        "status": _STATUS_OF_CODE.get(error.code, by_fault),
        "detail": error.message,
        "code": error.code,
        "remedy": error.remedy,
        "details": error.details,
        "fault": _name_of(type(error)),
    }


def error_of(problem: Mapping[str, Any]) -> RoosyncError:
    """The error that a problem document tells about."""
    details = problem.get("details")
    return _FAULTS.get(str(problem.get("fault")), RoosyncError)(
        str(problem.get("detail") or problem.get("title") or "the node refused"),
        code=str(problem.get("code") or "refused"),
        remedy=str(problem.get("remedy") or ""),
        details=details if isinstance(details, dict) else {},
    )


def _name_of(fault: type[RoosyncError]) -> str:
    """The nearest class of the public tree."""
    return next(base.__name__ for base in fault.__mro__ if base.__name__ in _FAULTS)
