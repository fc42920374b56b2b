"""A bounded memory of names."""

from gateway.naming.table import Table


async def test_what_was_kept_is_found_as_it_is() -> None:
    table: Table[object] = Table()
    value = object()
    await table.keep("a", value)
    assert await table.find("a") is value
    assert await table.find("b") is None


async def test_the_newer_value_counts() -> None:
    table: Table[int] = Table()
    await table.keep("a", 1)
    await table.keep("a", 2)
    assert (await table.find("a"), len(table)) == (2, 1)


async def test_the_least_recently_used_goes_first() -> None:
    table: Table[int] = Table(capacity=2)
    await table.keep("a", 1)
    await table.keep("b", 2)
    await table.find("a")
    await table.keep("c", 3)
    assert [await table.find(name) for name in "abc"] == [1, None, 3]


async def test_a_million_names_take_no_more_than_the_bound() -> None:
    table: Table[int] = Table(capacity=10)
    for number in range(1000):
        await table.keep(str(number), number)
    assert len(table) == len(table._cache._cache) == 10


async def test_a_name_can_be_forgotten() -> None:
    table: Table[int] = Table()
    await table.keep("a", 1)
    await table.drop("a")
    await table.drop("a")
    assert (await table.find("a"), len(table)) == (None, 0)


async def test_tables_share_nothing() -> None:
    one: Table[int] = Table()
    other: Table[int] = Table()
    await one.keep("a", 1)
    assert await other.find("a") is None
