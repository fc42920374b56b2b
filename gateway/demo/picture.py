"""The demo's picture: a wall of cubes, drawn and encoded as PNG by code.

The image data is stored, not compressed (RFC 1951, 3.2.4), so that the bytes, and the CID, do not
depend on a machine's version of zlib.
"""

import struct
import zlib
from collections.abc import Iterator

WIDTH = 960
HEIGHT = 320

_CUBE_WIDTH = 64
_CUBE_HEIGHT = 112
"""Of two rows of cubes; the second one is half a cube to the right."""
_TONES = 28
_SPARKLES = 9
_FACES = (1.0, 0.78, 0.58)
"""Brightness of the top, left and right face."""
_STORED_BYTES = 0xFFFF
"""Most bytes of one stored block."""


def png_picture() -> bytes:
    """Return the picture as a PNG file with a palette, one byte a pixel."""
    tile = _tile()
    rows = b"".join(b"\x00" + bytes(_row(y, tile)) for y in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", _palette())
        + _chunk(b"IDAT", _store(rows))
        + _chunk(b"IEND", b"")
    )


def _row(y: int, tile: list[list[tuple[int, int, int]]]) -> Iterator[int]:
    """Yield the palette index of every pixel of row `y`."""
    down, inside = divmod(y, _CUBE_HEIGHT)
    tile_row = tile[inside]
    for x in range(WIDTH):
        column, row, face = tile_row[x % _CUBE_WIDTH]
        yield _tone(column + x // _CUBE_WIDTH, row + 2 * down) * len(_FACES) + face


def _tone(column: int, row: int) -> int:
    """Return the tone of a cube: lighter to the right, different for all neighbours."""
    sparkle = (column * 7 + row * 13 + column * row * 5) % _SPARKLES
    slope = (column * 2 + row % 2) * (_TONES - _SPARKLES) // (2 * (WIDTH // _CUBE_WIDTH + 1))
    return slope + sparkle


def _tile() -> list[list[tuple[int, int, int]]]:
    """Return cube column, cube row and face of every pixel of the pattern's repeating part."""
    return [[_cube(x, y) for x in range(_CUBE_WIDTH)] for y in range(_CUBE_HEIGHT)]


def _cube(x: int, y: int) -> tuple[int, int, int]:
    """Return the nearest cube, as column and row, and the face that the pixel is on."""
    candidates = []
    for shift in (0, 1):
        left, top = shift * _CUBE_WIDTH // 2, shift * _CUBE_HEIGHT // 2
        column = (x - left + _CUBE_WIDTH // 2) // _CUBE_WIDTH
        row = (y - top + _CUBE_HEIGHT // 2) // _CUBE_HEIGHT
        dx, dy = x - left - column * _CUBE_WIDTH, y - top - row * _CUBE_HEIGHT
        candidates.append((dx * dx + dy * dy, column, row * 2 + shift, dx, dy))
    _, column, row, dx, dy = min(candidates)
    if dy * 1000 < -577 * abs(dx):  # 0.577: the slope of 30 degrees
        return column, row, 0
    return column, row, 1 if dx < 0 else 2


def _palette() -> bytes:
    """Return the colours: from deep blue to aqua, three lights each."""
    colours = bytearray()
    for tone in range(_TONES):
        red, green, blue = 14 + tone * 3, 58 + tone * 6, 92 + tone * 5
        for light in _FACES:
            colours += bytes((int(red * light), int(green * light), int(blue * light)))
    return bytes(colours)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _store(data: bytes) -> bytes:
    """Return `data` as a zlib stream of stored blocks."""
    stream = bytearray(b"\x78\x01")
    for start in range(0, len(data), _STORED_BYTES):
        piece = data[start : start + _STORED_BYTES]
        is_last = start + _STORED_BYTES >= len(data)
        stream += struct.pack("<BHH", is_last, len(piece), len(piece) ^ 0xFFFF) + piece
    return bytes(stream) + struct.pack(">I", zlib.adler32(data))
