from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import Cid, parse_cid
from gateway.content.entry_name import encode_name
from gateway.content.path import (
    MAX_PATH_BYTES,
    MAX_SEGMENTS,
    ContentPath,
    escape_path,
    escape_segment,
    parse_path,
    parse_target,
)
from gateway.errors import BadCid, BadPath
from tests.refusal import check_refused
from tests.strategies import cids

C = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
ROOT = parse_cid(C)


@pytest.mark.parametrize(
    ("raw", "segments", "is_directory"),
    [
        pytest.param(f"/ipfs/{C}", (), False, id="root"),
        pytest.param(f"/ipfs/{C}/", (), True, id="root-with-slash"),
        pytest.param(f"/ipfs/{C}/a/b", ("a", "b"), False, id="two-names"),
        pytest.param(f"/ipfs/{C}/a/b/", ("a", "b"), True, id="slash-at-the-end"),
        pytest.param(f"//ipfs//{C}///a", ("a",), False, id="double-slashes"),
        pytest.param(f"/ipfs/{C}/./a/./b", ("a", "b"), False, id="dots"),
        pytest.param(f"/ipfs/{C}/a/../b", ("b",), False, id="parent"),
        pytest.param(f"/ipfs/{C}/a/b/../../c/", ("c",), True, id="two-parents"),
        pytest.param(f"/ipfs/{C}/a/..", (), False, id="parent-at-the-end"),
        pytest.param(f"/ipfs/{C}/a/%2e%2e/b", ("b",), False, id="escaped-parent"),
        pytest.param(f"/ipfs/{C}/...", ("...",), False, id="three-dots-are-a-name"),
        pytest.param(f"/ipfs/{C}/a%2Fb", ("a/b",), False, id="escaped-slash-stays-inside"),
        pytest.param(f"/ipfs/{C}/..%2f..%2fx", ("../../x",), False, id="escaped-slashes-no-parent"),
        pytest.param(f"/ipfs/{C}/a%252Fb", ("a%2Fb",), False, id="decoded-once"),
        pytest.param(f"/ipfs/{C}/%c3%a9", ("é",), False, id="utf-8"),
        pytest.param(f"/ipfs/{C}/é", ("é",), False, id="utf-8-unescaped"),
        pytest.param(f"/ipfs/{C}/e%CC%81", ("e\u0301",), False, id="not-normalised"),
        pytest.param(f"/ipfs/{C}/%F0%9F%9A%80", ("🚀",), False, id="emoji"),
        pytest.param(f"/ipfs/{C}/%5c..%5c..", ("\\..\\..",), False, id="backslashes"),
        pytest.param(f"/ipfs/{C}/a;b=c&d", ("a;b=c&d",), False, id="semicolon"),
        pytest.param(f"/ipfs/{C}/%3F%23", ("?#",), False, id="escaped-question-mark-and-hash"),
        pytest.param(f"/ipfs/{C}/%0d%0aSet-Cookie:x", ("\r\nSet-Cookie:x",), False, id="line-end"),
        pytest.param(f"/ipfs/{C}/a+b", ("a+b",), False, id="plus-is-no-space"),
        pytest.param(f"/%69pfs/{C}/a", ("a",), False, id="escaped-namespace"),
        pytest.param(f"/ipfs/%62{C[1:]}/a", ("a",), False, id="escaped-cid"),
    ],
)
def test_parse_path_reads(raw: str, segments: tuple[str, ...], *, is_directory: bool) -> None:
    path = parse_path(raw.encode())
    assert path == ContentPath("ipfs", ROOT, segments, is_directory)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "does not start with a slash", id="empty"),
        pytest.param(b"*", "does not start with a slash", id="asterisk"),
        pytest.param(b"ipfs/C", "does not start with a slash", id="no-first-slash"),
        pytest.param(b"/", "a content path is", id="slash"),
        pytest.param(b"/ipfs", "a content path is", id="namespace-alone"),
        pytest.param(b"/ipfs/", "a content path is", id="namespace-and-slash"),
        pytest.param(b"/ipld/example.org", "a content path is", id="other-namespace"),
        pytest.param(b"/IPFS/C", "a content path is", id="upper-case-namespace"),
        pytest.param(b"/ipfs/QmInvalid", "invalid CID: no multibase", id="no-cid"),
        pytest.param(b"/ipfs/ipfs/C", "invalid CID", id="namespace-twice"),
        pytest.param(b"/ipfs/%ff", "not UTF-8", id="cid-not-utf-8"),
        pytest.param(b"/ipns/\xff.example.org", "not UTF-8", id="name-not-utf-8"),
        pytest.param(b"/ipfs/C/%00", "at byte 15", id="nul"),
        pytest.param(b"/ipfs/C/\0", "at byte 15", id="nul-unescaped"),
        pytest.param(b"/ipfs/C/%zz", "at byte 15", id="bad-escape"),
        pytest.param(b"/ipfs/C/a%", "at byte 16", id="percent-at-the-end"),
        pytest.param(b"/ipfs/C/%2", "at byte 15", id="half-an-escape"),
        pytest.param(b"/ipfs/C/% 2", "at byte 15", id="escape-with-a-space"),
        pytest.param(b"/ipfs/C#frag", "at byte 14", id="fragment"),
        pytest.param(b"/ipfs/C?format=raw", "at byte 14", id="query"),
        pytest.param(b"/ipfs/..", "above its root", id="above-the-namespace"),
        pytest.param(b"/../ipfs/C", "above its root", id="above-everything"),
        pytest.param(b"/ipfs/../admin/purge", "above its root", id="to-another-place"),
        pytest.param(b"/ipfs/%2e%2e/metrics", "above its root", id="escaped-to-another-place"),
        pytest.param(b"/ipfs/C/..", "above its root", id="above-the-cid"),
        pytest.param(b"/ipfs/C/../x", "above its root", id="beside-the-cid"),
        pytest.param(b"/ipfs/C/a/../../x", "above its root", id="above-the-cid-later"),
        pytest.param(b"/ipfs/C/%2E%2E/x", "above its root", id="escaped-above-the-cid"),
        pytest.param(b"/ipfs/C" + b"/a" * 257, "257 segments are more than 256", id="segments"),
        pytest.param(b"/" + b"a" * MAX_PATH_BYTES, "8193 bytes are more than 8192", id="bytes"),
    ],
)
def test_parse_path_refuses(raw: bytes, reason: str) -> None:
    check_refused(
        BadPath, f'^invalid path ".*": .*{reason}', parse_path, raw.replace(b"/C", b"/bafkqaaa")
    )


def test_parse_path_takes_as_much_as_allowed() -> None:
    raw = f"/ipfs/{C}".encode() + b"/a" * MAX_SEGMENTS
    assert parse_path(raw).segments == ("a",) * MAX_SEGMENTS
    raw = f"/ipfs/{C}/".encode()
    assert parse_path(raw + b"a" * (MAX_PATH_BYTES - len(raw))).segments[0].strip("a") == ""


def test_bad_cid_is_told_as_a_bad_path_with_its_cause() -> None:
    with pytest.raises(BadPath, match=r'^invalid path "/ipfs/QmInvalidCID/a": invalid') as caught:
        parse_path(b"/ipfs/QmInvalidCID/a")
    assert isinstance(caught.value.__cause__, BadCid)


def test_a_bad_path_is_shown_without_control_characters_and_cut() -> None:
    with pytest.raises(BadPath, match="does not start") as caught:
        parse_path(b'"\r\n\x1b[31m%41\xff' + b"a" * 500)
    shown = caught.value.path
    assert shown.startswith("%22%0D%0A%1B%5B31m%41%FFaaa")
    assert shown.endswith("aaa...")
    assert len(shown) < 300


def test_root_text_is_as_the_client_wrote_it_but_does_not_tell_paths_apart() -> None:
    upper = "B" + C[1:].upper()
    path = parse_path(f"/ipfs/{upper}/a".encode())
    assert path.root_text == upper
    assert path == parse_path(f"/ipfs/{C}/a".encode())
    assert hash(path) == hash(parse_path(f"/ipfs/{C}/a".encode()))
    assert str(path) == f"/ipfs/{C}/a"


def test_root_text_is_canonical_when_no_client_wrote_it() -> None:
    assert ContentPath("ipfs", ROOT).root_text == C


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param("/ipfs/x/a b", "/ipfs/x/a%20b", id="space"),
        pytest.param("é", "%C3%A9", id="upper-case-hex"),
        pytest.param("a%2Fb?c#d", "a%252Fb%3Fc%23d", id="percent-query-fragment"),
        pytest.param("\"<>'\\\r\n", "%22%3C%3E%27%5C%0D%0A", id="what-breaks-html-and-headers"),
        pytest.param("-_.~$&+,:;=@", "-_.~$&+,:;=@", id="left-alone"),
    ],
)
def test_escape_path(text: str, escaped: str) -> None:
    assert escape_path(text) == escaped


names = st.text(min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."} and not {"/", "\0"} & set(name)
)


@pytest.mark.property
@given(root=cids(), segments=st.lists(names, max_size=5).map(tuple), is_directory=st.booleans())
def test_parse_path_undoes_format_and_escape(
    root: Cid, segments: tuple[str, ...], *, is_directory: bool
) -> None:
    path = ContentPath("ipfs", root, segments, is_directory)
    assert parse_path(escape_path(str(path)).encode("ascii")) == path


@pytest.mark.property
@given(st.lists(names, max_size=4).map(tuple))
def test_every_spelling_of_a_path_is_one_path(segments: tuple[str, ...]) -> None:
    plain = "/".join(("/ipfs", C, *segments))
    every = "/".join(("/ipfs", C, *(f"./{hex_escape(name)}/" for name in segments)))
    assert parse_path(quote(plain).encode()) == parse_path(every.rstrip("/").encode())


def hex_escape(name: str) -> str:
    return "".join(f"%{byte:02x}" for byte in name.encode())


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        pytest.param(b"%ff", [b"\xff"], id="ff"),
        pytest.param(b"\xff", [b"\xff"], id="ff-unescaped"),
        pytest.param(b"caf%E9.txt", [b"caf\xe9.txt"], id="latin-1"),
        pytest.param(b"%c0%ae%c0%ae/", [b"\xc0\xae\xc0\xae"], id="overlong-dots"),
        pytest.param(b"%ed%a0%80", [b"\xed\xa0\x80"], id="surrogate"),
        pytest.param(b"%c3/%a9", [b"\xc3", b"\xa9"], id="character-over-two-segments"),
        pytest.param(b"\xc3/\xa9%41", [b"\xc3", b"\xa9A"], id="half-escaped"),
    ],
)
def test_segments_keep_every_byte(raw: bytes, names: list[bytes]) -> None:
    """Issue 12, 11: names are bytes, whether they are UTF-8 or not."""
    path = parse_path(f"/ipfs/{C}/".encode() + raw)
    again = "/".join(map(escape_segment, path.segments)).encode()

    assert [encode_name(segment) for segment in path.segments] == names
    assert parse_path(f"/ipfs/{C}/".encode() + again).segments == path.segments


def test_a_target_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadPath, match="not UTF-8"):
        parse_target(f"/ipfs/{C}/\udce9")
