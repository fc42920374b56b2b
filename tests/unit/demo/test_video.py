import re
import struct
from collections.abc import Iterator

import pytest

from gateway.demo.video import COLUMNS, FRAMES_PER_SECOND, ROWS, VIDEO_BYTES, video_pieces

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


@pytest.fixture(scope="module")
def video() -> bytes:
    return b"".join(video_pieces())


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and stop of the body of each box, those inside of others too."""
    while start < stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start + 8, start + size
        if kind in _CONTAINERS:
            yield from _boxes(data, start + 8, start + size)
        start += size


def test_the_video_has_its_exact_size(video: bytes) -> None:
    assert len(video) == VIDEO_BYTES


def test_the_index_stands_before_the_pictures(video: bytes) -> None:
    kinds = [kind for kind, _, _ in _boxes(video, 0, len(video))]
    assert kinds[0] == b"ftyp"
    assert kinds[-2:] == [b"mdat", b"free"]
    assert kinds.index(b"moov") < kinds.index(b"mdat")


def test_the_index_leads_to_every_picture(video: bytes) -> None:
    boxes = {kind: (start, stop) for kind, start, stop in _boxes(video, 0, len(video))}
    start = boxes[b"stsz"][0]
    (count,) = struct.unpack_from(">I", video, start + 8)
    sizes = struct.unpack_from(f">{count}I", video, start + 12)
    (offset,) = struct.unpack_from(">I", video, boxes[b"stco"][0] + 8)
    assert (offset, offset + sum(sizes)) == boxes[b"mdat"]
    for size in sizes:
        assert struct.unpack_from(">IB", video, offset) == (size - 4, 0x65)  # one IDR slice
        offset += size


def test_the_video_lasts_half_a_minute(video: bytes) -> None:
    boxes = {kind: (start, stop) for kind, start, stop in _boxes(video, 0, len(video))}
    scale, duration = struct.unpack_from(">II", video, boxes[b"mvhd"][0] + 12)
    (count,) = struct.unpack_from(">I", video, boxes[b"stsz"][0] + 8)
    assert duration / scale == count / FRAMES_PER_SECOND
    assert 29 < duration / scale < 32


def test_pictures_need_no_emulation_prevention(video: bytes) -> None:
    start, stop = next(box[1:] for box in _boxes(video, 0, len(video)) if box[0] == b"mdat")
    # A size field starts with zero bytes of its own: look behind it.
    picture = video[start + 4 : start + 4 + COLUMNS * ROWS * 386 - 16]
    assert stop - start > len(picture)
    assert re.search(rb"\x00\x00[\x00-\x03]", picture) is None


def test_no_two_pictures_are_alike() -> None:
    pieces = list(video_pieces())[1:-1]
    assert len(set(pieces)) == len(pieces)
