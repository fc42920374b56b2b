"""Several requests for the same block: the first to deliver brings it, the others end.

A hedge is one that starts when the first has taken longer than it usually does; a survey starts
them all at once, when one upstream has said that it does not have the block. The first one holds
the entries of the blocks; who overtakes it, or outlives it, takes them over.
"""

from typing import Protocol

from gateway.upstream.retrieval.attempts import Failure
from gateway.upstream.retrieval.in_flight import Entry


class Runner(Protocol):
    """One request in a race. Production: `gateway.upstream.retrieval.fetch.Fetch`."""

    def adopt(self, multihash: bytes, entry: Entry) -> None:
        """Bring a block that another one was to bring."""
        ...

    def hand_over(self, heir: "Runner") -> None:
        """Let another one bring all that this one was to bring."""
        ...

    def lose(self) -> None:
        """End: another one has delivered."""
        ...


class Race:
    """Who runs, and how those failed that run no more."""

    def __init__(self, first: Runner) -> None:
        self.failures: list[Failure] = []
        self._runners = [first]

    def join(self, runner: Runner) -> None:
        """Let one more run."""
        self._runners.append(runner)

    def won_by(self, winner: Runner) -> None:
        """End the race: the winner brings everything."""
        losers = [runner for runner in self._runners if runner is not winner]
        self._runners = []
        for loser in losers:
            loser.hand_over(winner)
            loser.lose()

    def left_by(self, runner: Runner, failure: Failure | None) -> bool:
        """Take note that a runner has ended without a block; its entries go to another one.

        Returns:
            False when there is no other one.
        """
        if failure is not None:
            self.failures.append(failure)
        if runner in self._runners:
            self._runners.remove(runner)
        if not self._runners:
            return False
        runner.hand_over(self._runners[0])
        return True
