import pytest

from gateway.background import TaskRow
from gateway.ops.health import PARTS, HealthVerdict, judge
from gateway.ops.overview import Overview, Status, UpstreamRow, merge_workers
from tests.fakes.workers import upstream_row, worker_snapshot

WELL = upstream_row("a")
EJECTED = upstream_row("b", state="ejected", reason="mismatch")
BACKING_OFF = upstream_row("c", state="backing-off", reason="retry-after")
PUBLIC = upstream_row("d", tier="public")
PUBLIC_EJECTED = upstream_row("e", tier="public", state="ejected", reason="silent")


def overview(*rows: UpstreamRow, cache: tuple[str, str] = ("healthy", "")) -> Overview:
    told = {"status": cache[0], "reason": cache[1]}
    return merge_workers([worker_snapshot(upstreams=rows, cache_health=told)])


def test_work_behind_requests_that_does_not_go_on_degrades_the_whole() -> None:
    """Issue 12, 13 and 26: also the work of the workers' parent."""
    own: TaskRow = {"task": "pins", "failures": 2, "problem": "ValueError: odd"}
    parents: TaskRow = {"task": "worker-0", "failures": 1, "problem": "no such file"}
    well: TaskRow = {"task": "probes", "failures": 7, "problem": ""}
    told = merge_workers([worker_snapshot(upstreams=[WELL], tasks=[own, well])], [parents])

    assert PARTS["background"](told) == HealthVerdict(
        Status.DEGRADED,
        "tasks with problems: worker-0 (no such file), pins (ValueError: odd)",
    )
    assert judge(told).status is Status.DEGRADED


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        pytest.param(
            [WELL, PUBLIC], HealthVerdict(Status.HEALTHY, "2 of 2 upstreams healthy"), id="all"
        ),
        pytest.param(
            [WELL, EJECTED],
            HealthVerdict(Status.DEGRADED, "1 of 2 upstreams not healthy: b ejected (mismatch)"),
            id="some-ejected",
        ),
        pytest.param(
            [WELL, BACKING_OFF],
            HealthVerdict(
                Status.DEGRADED, "1 of 2 upstreams not healthy: c backing-off (retry-after)"
            ),
            id="some-back-off",
        ),
        pytest.param(
            [EJECTED, BACKING_OFF],
            HealthVerdict(
                Status.UNHEALTHY,
                "2 of 2 upstreams not healthy: b ejected (mismatch), c backing-off (retry-after)",
            ),
            id="none-well",
        ),
        pytest.param([], HealthVerdict(Status.UNHEALTHY, "no upstream is configured"), id="none"),
    ],
)
def test_ipfs(rows: list[UpstreamRow], verdict: HealthVerdict) -> None:
    assert PARTS["ipfs"](overview(*rows)) == verdict


@pytest.mark.parametrize(
    ("rows", "status", "reason"),
    [
        pytest.param([PUBLIC_EJECTED], Status.HEALTHY, "no cluster configured", id="no-cluster"),
        pytest.param([WELL, PUBLIC_EJECTED], Status.HEALTHY, "1 of 1", id="public-is-not-it"),
        pytest.param([WELL, EJECTED], Status.DEGRADED, "b ejected", id="some"),
        pytest.param([EJECTED, PUBLIC], Status.UNHEALTHY, "b ejected", id="all"),
    ],
)
def test_cluster(rows: list[UpstreamRow], status: Status, reason: str) -> None:
    verdict = PARTS["cluster"](overview(*rows))
    assert verdict.status is status
    assert reason in verdict.reason


@pytest.mark.parametrize("status", [pytest.param(status, id=status) for status in Status])
def test_the_cache_speaks_for_itself(status: Status) -> None:
    assert PARTS["cache"](overview(cache=(status, "why"))) == HealthVerdict(status, "why")


def test_a_cache_that_says_nothing_more_has_nothing_to_report() -> None:
    assert PARTS["cache"](overview()).reason == "no problems"


@pytest.mark.parametrize(
    ("view", "verdict"),
    [
        pytest.param(overview(WELL), HealthVerdict(Status.HEALTHY, "all parts healthy"), id="well"),
        pytest.param(
            overview(WELL, PUBLIC_EJECTED),
            HealthVerdict(
                Status.DEGRADED, "ipfs: 1 of 2 upstreams not healthy: e ejected (silent)"
            ),
            id="one-part-degraded",
        ),
        pytest.param(
            overview(WELL, PUBLIC_EJECTED, cache=("unhealthy", "the disk is gone")),
            HealthVerdict(Status.UNHEALTHY, "cache: the disk is gone"),
            id="the-worst-part",
        ),
        pytest.param(
            merge_workers([]),
            HealthVerdict(
                Status.UNHEALTHY, "ipfs: no upstream is configured; cache: no worker reports"
            ),
            id="no-worker",
        ),
    ],
)
def test_the_whole_is_as_well_as_its_worst_part(view: Overview, verdict: HealthVerdict) -> None:
    assert judge(view) == verdict


def test_old_rules_in_force_are_for_somebody_to_look_at() -> None:
    """Issue 12, 8: a denylist that was being written failed open, and all was healthy."""
    workers = [worker_snapshot(upstreams=[WELL]) for _ in range(3)]
    for worker, problem in zip(workers, ("", "a.deny is empty", "a.deny is empty"), strict=True):
        worker["denylist"] = {"rules": 1, "problem": problem}
    told = judge(merge_workers(workers))
    assert told == HealthVerdict(Status.DEGRADED, "denylist: a.deny is empty")
