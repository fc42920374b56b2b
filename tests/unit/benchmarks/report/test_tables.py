from benchmarks.report.tables import Table


def test_a_table_is_written_as_markdown_with_its_notes() -> None:
    table = Table("Hits", ("size", "rate"), [("1 KiB", "9"), ("2 KiB", "8")], ("One core.",))
    assert table.markdown() == (
        "## Hits\n\n| size | rate |\n| --- | --- |\n| 1 KiB | 9 |\n| 2 KiB | 8 |\n\nOne core.\n"
    )
