"""What is tried next for a block, and what is said when nobody gave it."""

from collections.abc import Collection

import pytest

from gateway.content.cid import parse_cid
from gateway.errors import (
    Attempt,
    BadCar,
    BlockAbsent,
    BlockMismatch,
    DeadlineExceeded,
    IncompleteCar,
    NotFound,
    RetrievalError,
    Unavailable,
    Unverifiable,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from gateway.ports import Choice
from gateway.upstream.retrieval.attempts import Attempts, Failure, NextStep, failure_of
from gateway.upstream.transport.request import Step

CID = parse_cid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
ABSENT = BlockAbsent("a", CID)
BAD = BadCar("garbage", "a")
BROKEN = UpstreamUnreachable("a", "broke the connection")
CUT = IncompleteCar("a", CID, is_cut=True)
BUSY = UpstreamRefused("a", "answered with status 429", 429)
HTML = UpstreamRefused("a", "answered with type 'text/html'", 200)
INCOMPLETE = IncompleteCar("a", CID)
LIE = BlockMismatch(CID, "a")
NO_CAR = UpstreamRefused("a", "answered with status 406", 406)
SILENT = UpstreamSilent("a", "sent nothing")
OUTSIDE = UpstreamRefused("a", "answered with status 400", 400)
SLOW = UpstreamRefused("a", "answered with status 504", 504)

NOW, LAST, NEVER = "NOW", "LAST", "NEVER"


@pytest.mark.parametrize(
    ("error", "step", "is_indirect", "has_progressed", "again"),
    [
        pytest.param(INCOMPLETE, Step.CAR, False, False, NOW, id="kubo-lacks-it"),
        pytest.param(INCOMPLETE, Step.CAR, False, True, NOW, id="a-block-is-missing"),
        pytest.param(NO_CAR, Step.CAR, False, False, NOW, id="no-cars-here"),
        pytest.param(NO_CAR, Step.RAW, False, False, NOW, id="no-blocks-here"),
        pytest.param(ABSENT, Step.CAR, True, False, NOW, id="404-to-a-path"),
        pytest.param(ABSENT, Step.CAR, False, False, NEVER, id="404-to-a-root"),
        pytest.param(ABSENT, Step.RAW, False, False, NEVER, id="404-to-a-block"),
        pytest.param(BAD, Step.CAR, False, False, LAST, id="garbage"),
        pytest.param(CUT, Step.CAR, False, True, LAST, id="broken-in-the-middle"),
        pytest.param(CUT, Step.CAR, False, False, LAST, id="broken-behind-what-was-known"),
        pytest.param(ABSENT, Step.RAW, True, False, NEVER, id="404-to-a-child"),
        pytest.param(BROKEN, Step.CAR, False, False, NEVER, id="unreachable"),
        pytest.param(LIE, Step.CAR, False, True, NEVER, id="lie"),
        pytest.param(SILENT, Step.CAR, False, True, NEVER, id="silent"),
        pytest.param(HTML, Step.CAR, False, False, NEVER, id="html"),
        pytest.param(BUSY, Step.CAR, False, False, NEVER, id="429"),
        pytest.param(SLOW, Step.CAR, False, False, NEVER, id="504"),
    ],
)
def test_whether_the_same_upstream_is_asked_again(
    error: UpstreamError,
    step: Step,
    is_indirect: bool,  # noqa: FBT001 (a table)
    has_progressed: bool,  # noqa: FBT001 (a table)
    again: str,
) -> None:
    failure = failure_of(error, step, is_indirect=is_indirect, has_progressed=has_progressed)
    assert failure.again.name == again


def failed(
    error: UpstreamError,
    step: Step = Step.CAR,
    *,
    has_progressed: bool = False,
    has_range: bool = False,
) -> Failure:
    return failure_of(
        error, step, is_indirect=False, has_progressed=has_progressed, has_range=has_range
    )


def trail_of(*failures: Failure) -> Attempts:
    attempts = Attempts()
    attempts.failures.extend(failures)
    return attempts


def next_of(attempts: Attempts, *, block_wise: str = "") -> tuple[str, str] | None:
    """Decide with the upstreams a and b, in this order."""

    def choose(exclude: Collection[str]) -> Choice | None:
        return next((Choice(name, "first") for name in "ab" if name not in exclude), None)

    step = attempts.next_step(Step.CAR, choose, lambda upstream: upstream in block_wise)
    return None if step is None else (step.choice.upstream, step.step)


def test_at_first_the_best_is_asked() -> None:
    assert next_of(trail_of()) == ("a", "car")


def test_who_is_known_for_blocks_only_is_asked_for_a_block() -> None:
    assert next_of(trail_of(), block_wise="a") == ("a", "raw")


def test_after_a_failure_the_next_is_asked() -> None:
    assert next_of(trail_of(failed(SILENT))) == ("b", "car")


def test_after_a_useless_car_the_same_is_asked_for_the_block() -> None:
    attempts = trail_of(failed(INCOMPLETE))
    assert next_of(attempts) == ("a", "raw")
    attempts.failures.append(failed(ABSENT, Step.RAW))
    assert next_of(attempts) == ("b", "car")


def test_nobody_is_asked_twice_in_the_same_way() -> None:
    attempts = trail_of(failed(NO_CAR), failed(NO_CAR, Step.RAW))
    assert next_of(attempts) == ("b", "car")


def test_who_broke_off_is_asked_again_when_nobody_else_is_left() -> None:
    attempts = trail_of(failed(CUT, has_progressed=True))
    assert next_of(attempts) == ("b", "car")
    attempts.failures.append(failed(UpstreamSilent("b", "sent nothing")))
    assert next_of(attempts) == ("a", "raw")
    attempts.failures.append(failed(BROKEN, Step.RAW))
    assert next_of(attempts) is None


@pytest.mark.parametrize(
    ("failure", "step", "is_useless"),
    [
        pytest.param(failed(NO_CAR), Step.RAW, True, id="refused"),
        pytest.param(failed(OUTSIDE), Step.RAW, True, id="400"),
        pytest.param(failed(OUTSIDE, has_range=True), Step.RAW, False, id="bytes-that-no-file-has"),
        pytest.param(failed(INCOMPLETE), Step.RAW, True, id="empty"),
        pytest.param(failed(BAD), Step.RAW, True, id="garbage"),
        pytest.param(failed(INCOMPLETE, has_progressed=True), Step.RAW, False, id="had-some"),
        pytest.param(failed(ABSENT), Step.RAW, False, id="absent"),
        pytest.param(failed(NO_CAR, Step.RAW), Step.CAR, False, id="other-way-round"),
    ],
)
def test_when_a_car_was_of_no_use(failure: Failure, step: Step, is_useless: bool) -> None:  # noqa: FBT001
    attempts = trail_of(failure)
    assert attempts.made_car_useless(NextStep(Choice("a", "other-step"), step)) is is_useless
    assert not attempts.made_car_useless(NextStep(Choice("b", "other-step"), step))


def by_b(error: type[UpstreamError]) -> Failure:
    if error is BlockAbsent:
        return failed(BlockAbsent("b", CID), Step.RAW)
    return failed(error("b", "failed"), Step.RAW)


@pytest.mark.parametrize(
    ("failures", "error"),
    [
        pytest.param([failed(ABSENT)], NotFound, id="absent"),
        pytest.param([failed(ABSENT), by_b(BlockAbsent)], NotFound, id="absent-everywhere"),
        pytest.param(
            [failed(INCOMPLETE), failed(ABSENT, Step.RAW)], NotFound, id="absent-after-empty-car"
        ),
        pytest.param([failed(SILENT)], DeadlineExceeded, id="silent"),
        pytest.param([failed(SLOW)], DeadlineExceeded, id="504"),
        pytest.param([failed(SILENT), by_b(BlockAbsent)], DeadlineExceeded, id="one-may-have-it"),
        pytest.param([failed(LIE)], Unverifiable, id="lie"),
        pytest.param([failed(LIE), by_b(BlockAbsent)], Unverifiable, id="lie-and-absent"),
        pytest.param([failed(LIE), by_b(UpstreamSilent)], Unverifiable, id="lie-and-silent"),
        pytest.param([failed(HTML)], Unavailable, id="html"),
        pytest.param([failed(BUSY)], Unavailable, id="busy"),
        pytest.param([failed(BROKEN)], Unavailable, id="unreachable"),
        pytest.param([failed(BROKEN), by_b(BlockAbsent)], Unavailable, id="one-refuses"),
        pytest.param([failed(BAD), by_b(UpstreamSilent)], Unverifiable, id="garbage-and-silent"),
        pytest.param([failed(BAD), failed(ABSENT, Step.RAW)], NotFound, id="absent-after-garbage"),
        pytest.param([], Unavailable, id="nobody-to-ask"),
    ],
)
def test_error_when_nobody_gave_the_block(
    failures: list[Failure], error: type[RetrievalError]
) -> None:
    raised = trail_of(*failures).error(CID, {})
    assert type(raised) is error
    assert len(raised.attempts) == len(failures)


def test_what_not_everybody_was_asked_for_is_not_absent() -> None:
    """issue 12, 17."""
    raised = trail_of(failed(ABSENT)).error(CID, {}, is_complete=False)
    assert type(raised) is Unavailable


def test_whose_budget_is_used_up_is_named() -> None:
    raised = trail_of(failed(ABSENT)).error(CID, {}, {"b": 6.0})
    assert type(raised) is Unavailable
    assert raised.attempts[1] == Attempt("b", "none", "may not be asked more for 6 s")


def test_who_must_not_be_asked_yet_is_named() -> None:
    raised = trail_of(failed(ABSENT)).error(CID, {"b": 17.2})
    assert type(raised) is Unavailable
    assert raised.attempts == (
        Attempt("a", "car", f"does not have {CID}"),
        Attempt("b", "none", "asked to be left alone for 17 s"),
    )
