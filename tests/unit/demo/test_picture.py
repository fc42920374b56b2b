import struct
import zlib
from collections.abc import Iterator

from gateway.demo.picture import HEIGHT, WIDTH, png_picture


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        size, kind = struct.unpack_from(">I4s", png, position)
        data = png[position + 8 : position + 8 + size]
        (check,) = struct.unpack_from(">I", png, position + 8 + size)
        assert check == zlib.crc32(kind + data)
        yield kind, data
        position += size + 12


def test_the_picture_is_a_png_of_its_size() -> None:
    png = png_picture()
    chunks = dict(_chunks(png))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (WIDTH, HEIGHT, 8, 3, 0, 0, 0)


def test_every_pixel_has_a_colour() -> None:
    chunks = dict(_chunks(png_picture()))
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == HEIGHT * (WIDTH + 1)
    assert {rows[start] for start in range(0, len(rows), WIDTH + 1)} == {0}  # filter: none
    assert max(rows) < len(chunks[b"PLTE"]) // 3
