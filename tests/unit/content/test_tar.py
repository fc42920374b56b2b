import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.block import Block
from gateway.content.build import (
    Attributes,
    Built,
    Profile,
    build_directory,
    build_file,
    build_hamt,
    build_symlink,
    collect,
)
from gateway.content.cid import DAG_CBOR, DAG_PB, RAW, Cid, sha256_cid
from gateway.content.dag_pb import PBLink
from gateway.content.entry_name import decode_name, encode_name
from gateway.content.tar import (
    GATHERED_BYTES,
    MANY_LINKS,
    MAX_LEVELS,
    MAX_PATH_BYTES,
    _first_links,
    join_path,
    walk_tar,
)
from gateway.content.unixfs import DirectoryEntity, FileEntity, open_entity
from gateway.content.unixfs_message import Mtime, UnixFs, UnixFsType
from gateway.content.walk import Scope, Want, run_stream
from gateway.errors import BadBlock, NotArchivable
from tests.fakes.car_data import read_car
from tests.fakes.dag_forge import Forge, Part, name_in

SMALL = Profile(chunk_bytes=4, max_links=3, raw_leaves=True, cid_version=1)
TEXT = b"0123456789abcdefghij"
Blocks = dict[bytes, Block]


def archive(cid: Cid, blocks: Blocks, name: str = "top") -> bytes:
    entity = open_entity(blocks[cid.multihash])
    return b"".join(run_stream(walk_tar(entity, name), blocks))


def read(data: bytes) -> dict[str, tarfile.TarInfo]:
    """Return the entries by name; a name that stands twice is an error."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
    assert len({member.name for member in members}) == len(members)
    return {member.name: member for member in members}


def contents(data: bytes) -> dict[str, bytes]:
    """Return the bytes of each file."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [(member.name, tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: file.read() for name, file in files if file is not None}


class World:
    """Blocks that were built, by multihash."""

    def __init__(self) -> None:
        self.blocks: Blocks = {}

    def file(self, data: bytes, attributes: Attributes | None = None) -> Built:
        return self._keep(*collect(build_file(data, SMALL, attributes or Attributes())))

    def directory(self, *entries: tuple[str, Built]) -> Built:
        return self._keep(*collect(build_directory(entries)))

    def hamt(self, *entries: tuple[str, Built]) -> Built:
        return self._keep(*collect(build_hamt(entries, fanout=8)))

    def symlink(self, target: bytes) -> Built:
        return self._keep(*collect(build_symlink(target)))

    def _keep(self, built: Built, blocks: list[Block]) -> Built:
        self.blocks |= {block.cid.multihash: block for block in blocks}
        return built


@pytest.fixture(name="world")
def world_fixture() -> World:
    return World()


@pytest.mark.parametrize("size", [0, 1, 3, 4, 20, 511, 512, 513, 2000])
def test_a_file_is_one_entry_named_as_told(world: World, size: int) -> None:
    data = (TEXT * 100)[:size]
    tar = archive(world.file(data).cid, world.blocks, "bafy")

    assert contents(tar) == {"bafy": data}
    assert len(tar) % 512 == 0
    assert tar.endswith(bytes(1024))


@pytest.mark.parametrize("kind", ["directory", "hamt"])
def test_a_directory_has_all_that_is_below_it(world: World, kind: str) -> None:
    make: Callable[..., Built] = getattr(world, kind)
    names = [f"é {number}" for number in range(30)]
    inner = make(*[(name, world.file(name.encode())) for name in names])
    root = make(("inner", inner), ("empty", make()), ("copy", inner), ("a", world.file(TEXT)))
    tar = archive(root.cid, world.blocks)

    assert {name for name, entry in read(tar).items() if entry.isdir()} == {
        "top", "top/inner", "top/empty", "top/copy",
    }  # fmt: skip
    assert contents(tar) == {
        "top/a": TEXT,
        **{f"top/{where}/{name}": name.encode() for where in ("inner", "copy") for name in names},
    }


def test_a_directory_stands_before_what_is_in_it(world: World) -> None:
    inner = world.directory(("c", world.file(b"x")))
    root = world.directory(("a", inner), ("b", world.file(b"")))

    assert list(read(archive(root.cid, world.blocks))) == ["top", "top/a", "top/a/c", "top/b"]


def test_symlinks_are_symlinks(world: World) -> None:
    targets = [b"a", b"../../etc/passwd", b"/etc/passwd", b"\xff\xfe", b"x" * 300, b""]
    links = [(f"link{n}", world.symlink(target)) for n, target in enumerate(targets)]
    entries = read(archive(world.directory(*links).cid, world.blocks))

    found = [entries[f"top/link{n}"] for n in range(len(targets))]
    assert all(entry.issym() for entry in found)
    assert [os.fsencode(entry.linkname) for entry in found] == targets


@pytest.mark.parametrize(
    ("attributes", "mode", "mtime"),
    [
        pytest.param(Attributes(), 0o644, 0, id="none"),
        pytest.param(Attributes(0o600, Mtime(1_700_000_000, 5)), 0o600, 1_700_000_000, id="both"),
        pytest.param(Attributes(0o0, Mtime(-1)), 0, -1, id="before-the-epoch"),
        pytest.param(Attributes(0o7755, Mtime(2**40)), 0o755, 2**40, id="setuid-and-far-future"),
    ],
)
def test_attributes_are_kept_but_for_setuid(
    world: World, attributes: Attributes, mode: int, mtime: int
) -> None:
    file = world.file(TEXT, attributes)
    (entry,) = read(archive(file.cid, world.blocks)).values()

    assert (entry.mode, entry.mtime) == (mode, mtime)


def test_a_directory_without_attributes_can_be_entered(world: World) -> None:
    (entry,) = read(archive(world.directory().cid, world.blocks)).values()

    assert (entry.mode, entry.mtime) == (0o755, 0)


def test_mode_and_time_of_a_directory_are_kept() -> None:
    forge = Forge()
    message = UnixFs(UnixFsType.DIRECTORY, mode=0o700, mtime=Mtime(9))
    (entry,) = read(archive(forge.unixfs(message), forge.blocks)).values()

    assert (entry.mode, entry.mtime) == (0o700, 9)


@pytest.mark.parametrize("name", ["n" * 101, "é" * 200, "n" * 5000, "a\nb", "日本", "a\\b", "~"])
def test_names_of_any_kind_are_read_back(world: World, name: str) -> None:
    root = world.directory((name, world.file(b"x")))

    assert contents(archive(root.cid, world.blocks)) == {f"top/{name}": b"x"}


def test_a_file_of_more_than_8_gib_has_its_size() -> None:
    forge = Forge()
    cid, size = forge.bomb(levels=3, width=2048, leaf=b"x")
    entity = open_entity(forge.blocks[cid.multihash])
    assert isinstance(entity, FileEntity)
    header = next(walk_tar(entity, "big"))

    assert size == 2**33
    assert isinstance(header, bytes)
    assert tarfile.TarInfo.frombuf(header[-512:], "utf-8", "strict").name == "big"
    assert f"size={size}".encode() in header


def test_tar_itself_reads_it(world: World, tmp_path: Path) -> None:
    inner = world.hamt(*[(f"é{n}", world.file(b"%d" % n)) for n in range(20)])
    root = world.directory(("d" * 150, inner), ("link", world.symlink(b"d")))
    done = subprocess.run(  # noqa: S603 (our own archive)
        ["tar", "-x", "-C", tmp_path],  # noqa: S607 (whichever the system has)
        input=archive(root.cid, world.blocks),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "top" / ("d" * 150) / "é7").read_bytes() == b"7"
    assert (tmp_path / "top" / "link").is_symlink()


def test_wants_tell_that_everything_below_will_be_wanted(world: World) -> None:
    file, other = world.file(TEXT), world.directory()
    root = world.directory(("a", file), ("b", other))
    wants: list[Want] = []
    steps = walk_tar(open_entity(world.blocks[root.cid.multihash]), "top")
    step = next(steps, None)
    while step is not None:
        wants += [step] if isinstance(step, Want) else []
        try:
            step = steps.send(world.blocks[step.cid.multihash] if isinstance(step, Want) else None)
        except StopIteration:
            step = None

    siblings = (file.cid, other.cid)
    assert wants[0] == Want(file.cid, (), Scope.ALL, siblings=siblings)
    assert wants[-1] == Want(other.cid, (), Scope.ALL, siblings=siblings, index=1)
    assert {want.root for want in wants[1:-1]} == {file.cid}


def test_shards_are_wanted_with_all_below_them(world: World) -> None:
    root = world.hamt(*[(f"{n}", world.file(b"")) for n in range(40)])
    entity = open_entity(world.blocks[root.cid.multihash])
    steps = walk_tar(entity, "top")
    header, want = next(steps), steps.send(None)

    assert isinstance(header, bytes)
    assert isinstance(want, Want)
    assert (want.scope, want.root) == (Scope.ALL, None)


def test_of_a_name_that_is_there_twice_the_first_is_written() -> None:
    forge = Forge()
    first, second, third = (forge.raw(b"%d" % n) for n in range(3))
    root = forge.directory(("a", first), ("a", second), ("b", third))

    assert contents(archive(root, forge.blocks)) == {"top/a": b"0", "top/b": b"2"}


def test_small_pieces_are_gathered(world: World) -> None:
    root = world.directory(*[(f"{n}", world.file(b"x")) for n in range(100)])
    steps = walk_tar(open_entity(world.blocks[root.cid.multihash]), "top")
    sizes = [len(piece) for piece in run_stream(steps, world.blocks)]

    assert len(sizes) == 101
    assert min(sizes) >= 512


def test_pieces_are_sent_when_there_is_enough() -> None:
    forge = Forge()
    empty = Cid(1, 0x55, b"\0\0")
    root = forge.directory(*[(f"{n}", empty) for n in range(100)])
    sizes = [
        len(piece)
        for piece in run_stream(walk_tar(open_entity(forge.blocks[root.multihash]), "t"), {})
    ]

    assert sizes[:-1] == [GATHERED_BYTES] * (len(sizes) - 1)
    assert sum(sizes) == 512 * 101 + 1024


@pytest.mark.parametrize(
    ("above", "name", "path"),
    [
        pytest.param(("top",), "a", ("top", "a"), id="plain"),
        pytest.param(("top",), "a/b", ("top", "a", "b"), id="slash"),
        pytest.param(("top", "d"), "../a", ("top", "a"), id="up"),
        pytest.param(("top",), "a/../b", ("top", "b"), id="down-and-up"),
        pytest.param(("top",), "...", ("top", "..."), id="three-dots"),
        pytest.param(("top",), "..a", ("top", "..a"), id="dots-in-front"),
        pytest.param(("top",), " ", ("top", " "), id="space"),
    ],
)
def test_join_path(above: tuple[str, ...], name: str, path: tuple[str, ...]) -> None:
    assert join_path(above, name) == path


BAD_NAMES = [
    pytest.param("/", "out of the archive", id="slash"),
    pytest.param("/etc/passwd", "out of the archive", id="absolute"),
    pytest.param("../a", "out of the archive", id="up"),
    pytest.param("a/../../b", "out of the archive", id="down-and-up-twice"),
    pytest.param("a//b", "out of the archive", id="double-slash"),
    pytest.param("a/./b", "out of the archive", id="dot-inside"),
    pytest.param("a/", "not a valid file name", id="final-slash"),
    pytest.param("a/..", "not a valid file name", id="final-dots"),
    pytest.param("x" * MAX_PATH_BYTES, "over 16384 bytes", id="too-long"),
]


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES)
def test_a_name_that_leads_out_is_refused_before_anything_is_sent(name: str, reason: str) -> None:
    forge = Forge()
    root = forge.directory(("a", forge.raw(b"x")), (name, forge.raw(b"y")))
    steps = walk_tar(open_entity(forge.blocks[root.multihash]), "top")

    with pytest.raises(NotArchivable, match=reason):
        next(steps)


def test_a_name_that_leads_out_further_down_ends_it() -> None:
    forge = Forge()
    inner = forge.directory(("a", forge.raw(b"x")), ("../../a", forge.raw(b"y")))
    root = forge.directory(("inner", inner))

    with pytest.raises(NotArchivable, match="out of the archive"):
        archive(root, forge.blocks)


def test_names_of_the_conformance_fixtures_are_kept_inside() -> None:
    inside = read_car("gateway-conformance/path_gateway_tar/inside-root.car")
    outside = read_car("gateway-conformance/path_gateway_tar/outside-root.car")

    assert contents(archive(inside.root, inside.blocks)) == {"top/foobar/file": b"Hello, world!\n"}
    with pytest.raises(NotArchivable, match=r'with "top/\.\./foo": it leads out'):
        archive(outside.root, outside.blocks)


def test_nothing_is_written_through_a_symlink() -> None:
    forge = Forge()
    link = forge.unixfs(UnixFs(UnixFsType.SYMLINK, b"/etc"))
    inner = forge.directory(("../link/passwd", forge.raw(b"x")))
    root = forge.directory(("link", link), ("z", inner))

    with pytest.raises(NotArchivable, match="a symlink may lead out"):
        archive(root, forge.blocks)


def test_a_symlink_never_takes_the_place_of_a_directory() -> None:
    forge = Forge()
    link = forge.unixfs(UnixFs(UnixFsType.SYMLINK, b"/etc"))
    inner = forge.directory(("../inner", link), ("passwd", forge.raw(b"x")))

    with pytest.raises(NotArchivable, match="a symlink may lead out"):
        archive(forge.directory(("inner", inner)), forge.blocks)


def test_a_directory_never_takes_the_place_of_a_symlink() -> None:
    """Only a HAMT can have a name twice: in two slots, of which one is not that of its hash."""
    forge, name = Forge(), name_in(0)
    link = forge.unixfs(UnixFs(UnixFsType.SYMLINK, b"/etc"))
    inner = forge.directory(("passwd", forge.raw(b"x")))
    root = forge.any_shard([(f"00{name}", link), (f"01{name}", inner)], 0b11)

    with tarfile.open(fileobj=io.BytesIO(archive(root, forge.blocks))) as tar:
        assert [(member.name, member.issym()) for member in tar] == [
            ("top", False),
            (f"top/{name}", True),
        ]


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b"], ids=["empty", "dot", "dots", "nul"])
def test_a_name_that_no_path_has_is_left_out(name: str) -> None:
    """Issue 12, 11: one odd entry does not take all down."""
    forge = Forge()
    odd = (name, forge.raw(b"y"))
    root = forge.directory(("a", forge.raw(b"x")), odd, ("d", forge.directory(odd)))

    assert contents(archive(root, forge.blocks)) == {"top/a": b"x"}


def test_a_name_that_is_not_utf_8_keeps_its_bytes() -> None:
    """Issue 12, 11: `caf\\xe9.txt`, as the file systems of old had it."""
    forge = Forge()
    root = forge.directory((decode_name(b"caf\xe9.txt"), forge.raw(b"x")))
    data = archive(root, forge.blocks)

    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        assert [encode_name(member.name) for member in tar] == [b"top", b"top/caf\xe9.txt"]


def test_symlinks_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.content.tar.MAX_SYMLINKS", 10)  # 65,536 take seconds
    forge = Forge()
    link = forge.unixfs(UnixFs(UnixFsType.SYMLINK, b"a"))
    root = forge.directory(*[(f"{n}", link) for n in range(11)])

    with pytest.raises(NotArchivable, match="more than 10 symlinks"):
        archive(root, forge.blocks)


@pytest.mark.parametrize("target", [b"a\0b", b"x" * (MAX_PATH_BYTES + 1)], ids=["nul", "long"])
def test_a_target_that_is_no_path_is_refused(target: bytes) -> None:
    forge = Forge()
    link = forge.unixfs(UnixFs(UnixFsType.SYMLINK, target))

    with pytest.raises(NotArchivable, match="its target is not a path"):
        archive(link, forge.blocks)


@pytest.mark.parametrize("depth", [0, 1])
def test_what_is_not_unixfs_is_refused(depth: int) -> None:
    forge = Forge()
    cid = forge.block(DAG_CBOR, b"\xa0")
    for _ in range(depth):
        cid = forge.directory(("x", cid))

    with pytest.raises(NotArchivable, match="it is not UnixFS"):
        archive(cid, forge.blocks)


def test_levels_are_limited() -> None:
    forge = Forge()
    cid = forge.directory()
    for _ in range(MAX_LEVELS - 1):
        cid = forge.directory(("d", cid))

    assert len(read(archive(cid, forge.blocks))) == MAX_LEVELS
    with pytest.raises(NotArchivable, match="too much is below it"):
        archive(forge.directory(("d", cid)), forge.blocks)


def test_waiting_entries_are_limited() -> None:
    forge = Forge()
    cid = forge.raw(b"")
    for _ in range(5):
        cid = forge.directory(("0", cid), *[(f"{n:x}", cid) for n in range(1, 30_000)])

    with pytest.raises(NotArchivable, match="too much is below it"):
        archive(cid, forge.blocks)


def test_a_file_that_lies_about_its_size_ends_it() -> None:
    forge = Forge()
    root = forge.directory(("a", forge.file(Part(forge.raw(b"x"), 2))))

    with pytest.raises(BadBlock, match="its parent says 2"):
        archive(root, forge.blocks)


Tree = dict[str, "Tree | bytes"]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.dictionaries(st.text("aé 日.", min_size=3, max_size=4), st.binary(max_size=30), max_size=4),
    lambda inner: st.dictionaries(st.text("bc", min_size=1, max_size=3), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.property
@given(trees, st.booleans())
def test_any_tree_is_read_back(tree: Tree, is_hamt: bool) -> None:  # noqa: FBT001 (a table)
    world = World()
    expected: dict[str, bytes] = {}

    def build(node: Tree | bytes, path: str) -> Built:
        if isinstance(node, bytes):
            expected[path] = node
            return world.file(node)
        entries = [(name, build(held, f"{path}/{name}")) for name, held in node.items()]
        return world.hamt(*entries) if is_hamt else world.directory(*entries)

    root = build(tree, "top")

    assert contents(archive(root.cid, world.blocks)) == expected


def test_memory_does_not_grow_with_the_archive() -> None:
    forge = Forge()
    leaf, size = forge.bomb(levels=2, width=100, leaf=bytes(1000))
    cid = leaf
    for _ in range(10):
        cid = forge.directory(*[(f"{n}", cid) for n in range(30)])
    steps = run_stream(walk_tar(open_entity(forge.blocks[cid.multihash]), "top"), forge.blocks)

    assert size == 10_000_000
    assert sum(len(next(steps)) for _ in range(2000)) > 1_000_000


@pytest.mark.parametrize(("count", "is_shared"), [(MANY_LINKS + 1, True), (3, False)])
def test_readers_of_a_large_directory_share_its_entries(count: int, *, is_shared: bool) -> None:
    """Issue 12, 21: every reader of a TAR had 1.4 MiB of its own."""
    link = sha256_cid(RAW, bytes(32)).encode()
    links = tuple(PBLink(link, f"{n}", 1) for n in range(count))
    entity = DirectoryEntity(sha256_cid(DAG_PB, bytes([count % 256]) * 32), links)
    assert (_first_links(entity) is _first_links(entity)) is is_shared
    assert len(_first_links(entity)) == count
