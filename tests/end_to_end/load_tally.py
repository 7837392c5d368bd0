"""What came of what clients asked: counted for all of them, and told to the history."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator
from typing import Final

from roosync_p2p.errors import EnvironmentFault, InputFault, NotRunningError, RoosyncError, UndecidedError
from tests.linearizability.recorder import Call

__all__ = ["NO_ANSWER", "Tally"]

NO_ANSWER: Final = (UndecidedError, EnvironmentFault, NotRunningError, OSError)


class Tally:
    """Counts for a run.

    Attributes:
        answered: operations with an answer.
        unknown: operations without one, by the code of the error.
        void: operations that had certainly no effect, by the reason.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.unknown: collections.Counter[str] = collections.Counter()
        self.void: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def asking(self, call: Call) -> Iterator[None]:
        """Around the request of an operation; what it raises passes.

        Two errors say that there was no effect and will be none. No node runs: that is found out before a byte of the
        request is sent. Too late: the ledger has refused it. Of all other errors nobody knows.
        """
        try:
            yield
        except NotRunningError as error:
            self.without_effect(call, error.code)
            raise
        except InputFault as refusal:
            if refusal.code != "too_late":
                raise  # nothing that this load may be told
            self.without_effect(call, refusal.code)
        except NO_ANSWER as error:
            self.unknown[error.code if isinstance(error, RoosyncError) else type(error).__name__] += 1
            raise

    def answer(self, call: Call, answer: object) -> None:
        """It was answered."""
        call.answered(answer)
        self.answered += 1

    def without_effect(self, call: Call, why: str) -> None:
        """It had certainly no effect."""
        call.void()
        self.void[why] += 1
