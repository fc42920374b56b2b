from benchmarks.report.promises import Promise, promises_table


def test_a_promise_is_held_or_missed() -> None:
    table = promises_table(
        [Promise("a <= 1", "0.9", is_held=True), Promise("b", "2", is_held=False)]
    )
    assert table.rows == [("a <= 1", "0.9", "held"), ("b", "2", "MISSED")]
