"""What was tried for one block, and what to try next. Pure.

A CAR that brought nothing says little about its upstream: a Kubo node answers 200 and breaks off
when it lacks the root, and other gateways know no CAR. So the same upstream is then asked for the
block alone, which has a clear answer: the bytes or 404.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, NamedTuple

from gateway.content.cid import Cid
from gateway.errors import (
    Attempt,
    DeadlineExceeded,
    IncompleteCar,
    NotFound,
    RetrievalError,
    Unavailable,
    Unverifiable,
    UpstreamError,
    UpstreamRefused,
)
from gateway.ports import Choice
from gateway.upstream.balancing.health import NO_FAULT, FailureKind, kind_of
from gateway.upstream.balancing.selection import ChoiceReason
from gateway.upstream.transport.request import Step

MAX_SURVEY: Final = 8  # upstreams asked at once; the rest after them
NOBODY: Final[Mapping[str, float]] = {}
_UNVERIFIED: Final = frozenset({FailureKind.MISMATCH, FailureKind.BAD_CAR, FailureKind.UNRESOLVED})
_SLOW: Final = frozenset({FailureKind.SILENT, FailureKind.TIMED_OUT})


class Again(Enum):
    """Whether the same upstream may be asked for the block in the other way."""

    NOW = auto()
    LAST = auto()
    """When nobody else is left."""
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """How one upstream failed."""

    upstream: str
    step: Step
    kind: FailureKind
    reason: str
    again: Again
    has_progressed: bool
    """Some blocks came before."""
    is_cut: bool = False
    """The connection broke in the middle of a CAR: it lacks what comes next, or is broken."""
    is_out_of_range: bool = False
    """It may be that no file has such bytes: 400 says so, too (trustless-gateway.md)."""

    @property
    def is_car_useless(self) -> bool:
        """Whether the upstream should be asked for blocks only, if it turns out to have them."""
        if self.step is not Step.CAR or self.has_progressed or self.is_cut or self.is_out_of_range:
            return False
        return self.kind in (FailureKind.REFUSED, FailureKind.INCOMPLETE, FailureKind.BAD_CAR)


def failure_of(
    error: UpstreamError,
    step: Step,
    *,
    is_indirect: bool,
    has_progressed: bool,
    has_range: bool = False,
) -> Failure:
    """Judge an error.

    Args:
        error: what went wrong.
        step: how the upstream was asked.
        is_indirect: the request named the block by what is above it: 404 may mean something else.
        has_progressed: some blocks came before.
        has_range: the request named bytes of a file: 400 may mean that it has none of them.
    """
    is_cut = isinstance(error, IncompleteCar) and error.is_cut
    kind = FailureKind.INCOMPLETE if is_cut else kind_of(error)
    is_4xx = isinstance(error, UpstreamRefused) and 400 <= error.status < 500
    again = Again.NEVER
    if kind is FailureKind.REFUSED and is_4xx:
        again = Again.NOW
    elif step is Step.CAR:
        again = Again.LAST if is_cut else _again_after_car(kind, is_indirect=is_indirect)
    is_400 = isinstance(error, UpstreamRefused) and error.status == 400
    is_outside = is_400 and has_range
    return Failure(
        error.upstream, step, kind, error.reason, again, has_progressed, is_cut, is_outside
    )


def _again_after_car(kind: FailureKind, *, is_indirect: bool) -> Again:
    if kind is FailureKind.INCOMPLETE or (kind is FailureKind.ABSENT and is_indirect):
        return Again.NOW
    return Again.LAST if kind is FailureKind.BAD_CAR else Again.NEVER


class NextStep(NamedTuple):
    """Whom to ask, and how."""

    choice: Choice
    step: Step


class Attempts:
    """All that failed for one block so far."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def take_in(self, failures: Iterable[Failure]) -> None:
        """Take note of who failed when others asked for the same block."""
        self.failures += [failure for failure in failures if failure not in self.failures]

    def note_lacking(self, upstreams: Collection[str], cid: Cid) -> None:
        """Take note of who said that it does not hold a block, and is not asked for it."""
        self.failures += [
            Failure(name, Step.HEAD, FailureKind.ABSENT, f"does not hold {cid}", Again.NEVER, False)
            for name in sorted(upstreams)
        ]

    def next_step(
        self,
        first: Step,
        choose: Callable[[Collection[str]], Choice | None],
        is_block_wise: Callable[[str], bool],
    ) -> NextStep | None:
        """Decide what to try next; None when all has been tried.

        Args:
            first: how an upstream is asked at first.
            choose: chooses an upstream that is not excluded.
            is_block_wise: whether an upstream is asked for blocks only.
        """
        if again := self._other_steps():
            return again[0]
        asked = {(failure.upstream, failure.step) for failure in self.failures}
        names = {upstream for upstream, _ in asked}
        choice = choose(names)
        if choice is not None:
            return NextStep(choice, Step.RAW if is_block_wise(choice.upstream) else first)
        broken = {f.upstream for f in self.failures if f.again is Again.LAST}
        broken -= {upstream for upstream, step in asked if step is Step.RAW}
        choice = choose(names - broken) if broken else None
        return NextStep(choice, Step.RAW) if choice else None

    def _other_steps(self, again: Again = Again.NOW) -> list[NextStep]:
        """Return what those may be asked who gave no clear answer, the last one first."""
        asked = {(failure.upstream, failure.step) for failure in self.failures}
        return [
            NextStep(Choice(failure.upstream, ChoiceReason.OTHER_STEP), other)
            for failure in reversed(self.failures)
            for other in (Step.RAW if failure.step is Step.CAR else Step.CAR,)
            if failure.again is again and (failure.upstream, other) not in asked
        ]

    @property
    def is_absence(self) -> bool:
        """Whether the last answer was that the block is not there.

        One upstream whose CAR is cut may have broken down. A second one lacks the same block.
        """
        if not self.failures or self.failures[-1].kind not in NO_FAULT:
            return False
        return not self.failures[-1].is_cut or sum(one.is_cut for one in self.failures) > 1

    @property
    def has_fault(self) -> bool:
        """Whether an upstream failed in another way than not having the block."""
        return any(failure.kind not in NO_FAULT for failure in self.failures)

    def survey(self, choose: Callable[[Collection[str]], Choice | None]) -> list[NextStep]:
        """Return who is asked for the block itself, all at once: everybody who was not asked yet.

        Args:
            choose: chooses an upstream that is not excluded.
        """
        steps = [step for step in self._other_steps() if step.step is Step.RAW]
        cut = {failure.upstream for failure in self.failures if failure.is_cut}
        steps += [step for step in self._other_steps(Again.LAST) if step.choice.upstream in cut]
        names = self.asked()
        while len(steps) < MAX_SURVEY and (choice := choose(names)) is not None:
            names.add(choice.upstream)
            around = replace(choice, reason=ChoiceReason.ASKED_AROUND)
            steps.append(NextStep(around, Step.RAW))
        return steps

    def made_car_useless(self, step: NextStep) -> bool:
        """Tell whether `step` asks for a block because the same upstream's CAR was of no use."""
        upstream = step.choice.upstream
        return step.step is Step.RAW and any(
            failure.upstream == upstream and failure.is_car_useless for failure in self.failures
        )

    def was_cut(self, upstream: str) -> bool:
        """Tell whether a CAR of an upstream broke off, which its answer for the block explains."""
        return any(failure.upstream == upstream and failure.is_cut for failure in self.failures)

    def attempts(self) -> list[Attempt]:
        """Tell what was tried."""
        return [Attempt(f.upstream, f.step, f.reason) for f in self.failures]

    def asked(self) -> set[str]:
        """Return the names of the upstreams that were asked."""
        return {failure.upstream for failure in self.failures}

    def error(
        self,
        cid: Cid,
        held: Mapping[str, float],
        spent: Mapping[str, float] = NOBODY,
        *,
        is_complete: bool = True,
    ) -> RetrievalError:
        """Make the error of a block that nobody gave.

        Args:
            cid: the block.
            held: upstreams that asked not to be asked yet, with the seconds that are left.
            spent: upstreams whose budget is used up, with the seconds until there is more.
            is_complete: everybody was asked who may have it.
        """
        attempts = self.attempts()
        attempts += [
            Attempt(name, "none", f"asked to be left alone for {seconds:.0f} s")
            for name, seconds in held.items()
        ]
        attempts += [
            Attempt(name, "none", f"may not be asked more for {seconds:.0f} s")
            for name, seconds in spent.items()
        ]
        kinds = {failure.upstream: failure.kind for failure in self.failures}.values()  # the last
        if held or spent or not kinds:
            return Unavailable(cid, attempts)
        if is_complete and all(kind is FailureKind.ABSENT for kind in kinds):
            return NotFound(cid, attempts)
        is_slow = any(kind in _SLOW for kind in kinds)
        if is_slow and all(kind in _SLOW or kind is FailureKind.ABSENT for kind in kinds):
            return DeadlineExceeded(cid, attempts)
        is_unverified = any(failure.kind in _UNVERIFIED for failure in self.failures)
        return (Unverifiable if is_unverified else Unavailable)(cid, attempts)
