"""A 64 MiB video made by code: H.264 pictures in an MP4 file, playable and seekable anywhere.

Every picture is an intra picture of `I_PCM` macroblocks (ITU-T H.264, 7.3.5.1): raw samples, so no
encoder is needed, and so much data that ranges matter. All samples are 16 or more, so that the
stream never holds two zero bytes in a row inside a picture and needs no emulation prevention. The
clock in the picture shows whether a seek landed where it should. Boxes are those of ISO/IEC
14496-12 and 14496-15, with the index (`moov`) first, so that playing starts at once.
"""

import struct
from collections.abc import Iterator

VIDEO_BYTES = 64 * 1024 * 1024
FRAMES_PER_SECOND = 10
COLUMNS = 32
"""Macroblocks in a row: 512 pixels."""
ROWS = 18
"""Rows of macroblocks: 288 pixels."""

_MACROBLOCK = 16
_PHASES = 256
_TIMESCALE = 1000
_WHITE = b"\x0d\x00" + b"\xeb" * 256 + b"\x80" * 128
_FRAME_TAIL = b"\x80"
_BOX_HEAD_BYTES = 8

# Three columns by five rows, a bit a macroblock, top row first.
_GLYPHS = {
    "0": "111101101101111",
    "1": "010110010010111",
    "2": "111001111100111",
    "3": "111001111001111",
    "4": "101101111001001",
    "5": "111100111001111",
    "6": "111100111101111",
    "7": "111001010010010",
    "8": "111101111101111",
    "9": "111101111001111",
    ":": "000010000010000",
    ".": "000000000000010",
}
_CLOCK_ROW = 6
_CLOCK_COLUMN = 2


def video_pieces() -> Iterator[bytes]:
    """Return the file piece by piece, `VIDEO_BYTES` in all: the index, the pictures, padding."""
    sizes = _frame_sizes()
    head = _head(sizes)
    yield head
    kinds = [_macroblock(phase) for phase in range(_PHASES)]
    for number in range(len(sizes)):
        yield _frame(number, kinds)
    padding = VIDEO_BYTES - len(head) - sum(sizes)
    yield struct.pack(">I4s", padding, b"free") + bytes(padding - _BOX_HEAD_BYTES)


def _frame_sizes() -> list[int]:
    """Return the bytes of every picture that fits, in order."""
    macroblocks = COLUMNS * ROWS
    body = 4 + macroblocks * len(_WHITE) + len(_FRAME_TAIL) - 2
    pair = [body + len(_slice_head(number)) for number in (0, 1)]
    sizes: list[int] = []
    room = VIDEO_BYTES - len(_head(sizes)) - _BOX_HEAD_BYTES
    while room >= pair[len(sizes) % 2] + 4:  # 4 bytes for its entry in the index
        room -= pair[len(sizes) % 2] + 4
        sizes.append(pair[len(sizes) % 2])
    return sizes


def _frame(number: int, kinds: list[bytes]) -> bytes:
    """Return one picture: a slice of all macroblocks, after its size in four bytes."""
    blocks = [
        kinds[(column * _MACROBLOCK + row * _MACROBLOCK + number * 4) % _PHASES]
        for row in range(ROWS)
        for column in range(COLUMNS)
    ]
    for position in _clock(number):
        blocks[position] = _WHITE
    head = _slice_head(number)
    samples = b"".join(blocks)[2:]  # the first macroblock's type is in the slice head
    return struct.pack(">I", len(head) + len(samples) + 1) + head + samples + _FRAME_TAIL


def _clock(number: int) -> Iterator[int]:
    """Yield the macroblocks that write the time of a picture, e.g. `00:12.3`."""
    tenths = number * 10 // FRAMES_PER_SECOND
    text = f"{tenths // 600:02}:{tenths // 10 % 60:02}.{tenths % 10}"
    for place, character in enumerate(text):
        for index, bit in enumerate(_GLYPHS[character]):
            if bit == "1":
                row = _CLOCK_ROW + index // 3
                yield row * COLUMNS + _CLOCK_COLUMN + place * 4 + index % 3


def _macroblock(phase: int) -> bytes:
    """Return an `I_PCM` macroblock whose colours run diagonally through `phase`."""
    luma = bytes(_wave(phase + x + y, 60) for y in range(_MACROBLOCK) for x in range(_MACROBLOCK))
    half = range(0, _MACROBLOCK, 2)
    blue = bytes(_wave(phase + x + y + 96, 70) for y in half for x in half)
    red = bytes(_wave(phase + x + y + 192, 50) for y in half for x in half)
    return b"\x0d\x00" + luma + blue + red


def _wave(phase: int, height: int) -> int:
    """Return a sine-like sample around 128; whole numbers, so that all machines agree."""
    place = phase % 128
    swing = 4 * place * (128 - place) * height // 16384
    return 128 + swing if phase % 256 < 128 else 128 - swing


def _slice_head(number: int) -> bytes:
    """Return the NAL unit byte, slice header and first macroblock type of an IDR picture."""
    bits = (
        _ue(0)  # first_mb_in_slice
        + _ue(7)  # slice_type: all slices of the picture are I
        + _ue(0)  # pic_parameter_set_id
        + "0000"  # frame_num
        + _ue(number % 2)  # idr_pic_id: differs between neighbours
        + "00"  # no_output_of_prior_pics_flag, long_term_reference_flag
        + _ue(0)  # slice_qp_delta
        + _ue(1)  # disable_deblocking_filter_idc
        + _ue(25)  # mb_type I_PCM of the first macroblock
    )
    return b"\x65" + _align(bits)


def _parameter_sets() -> tuple[bytes, bytes]:
    """Return the sequence and picture parameter sets: constrained baseline, level 4.1."""
    sequence = (
        _ue(0)  # seq_parameter_set_id
        + _ue(0)  # log2_max_frame_num_minus4
        + _ue(2)  # pic_order_cnt_type
        + _ue(1)  # max_num_ref_frames
        + "0"  # gaps_in_frame_num_value_allowed_flag
        + _ue(COLUMNS - 1)
        + _ue(ROWS - 1)
        + "11"  # frame_mbs_only_flag, direct_8x8_inference_flag
        + "00"  # frame_cropping_flag, vui_parameters_present_flag
        + "1"  # rbsp_stop_one_bit
    )
    picture = (
        _ue(0)  # pic_parameter_set_id
        + _ue(0)  # seq_parameter_set_id
        + "00"  # entropy_coding_mode_flag, bottom_field_pic_order_in_frame_present_flag
        + _ue(0) * 3  # num_slice_groups, num_ref_idx_l0, num_ref_idx_l1, each minus 1
        + "000"  # weighted_pred_flag, weighted_bipred_idc
        + _ue(0) * 3  # pic_init_qp, pic_init_qs, chroma_qp_index_offset
        + "100"  # deblocking_filter_control, constrained_intra_pred, redundant_pic_cnt
        + "1"  # rbsp_stop_one_bit
    )
    return b"\x67\x42\xc0\x29" + _align(sequence), b"\x68" + _align(picture)


def _ue(value: int) -> str:
    """Return the bits of an unsigned Exp-Golomb number (H.264, 9.1)."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _align(bits: str) -> bytes:
    """Return bits as bytes, zero bits after them."""
    padded = bits + "0" * (-len(bits) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8, "big")


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", _BOX_HEAD_BYTES + len(body), kind) + body


def _full_box(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


def _head(sizes: list[int]) -> bytes:
    """Return everything before the first picture."""
    brands = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    length = len(_index(sizes, 0)) + len(brands) + _BOX_HEAD_BYTES
    media = struct.pack(">I4s", _BOX_HEAD_BYTES + sum(sizes), b"mdat")
    return brands + _index(sizes, length) + media


_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _index(sizes: list[int], first_offset: int) -> bytes:
    """Return the `moov` box for pictures of `sizes` that start at `first_offset`."""
    duration = len(sizes) * _TIMESCALE // FRAMES_PER_SECOND
    movie = struct.pack(">IIIIIHxxxxxxxxxx", 0, 0, _TIMESCALE, duration, 0x10000, 0x100)
    width, height = COLUMNS * _MACROBLOCK, ROWS * _MACROBLOCK
    track = struct.pack(">IIIII8xhhhh", 0, 0, 1, 0, duration, 0, 0, 0, 0)
    return _box(
        b"moov",
        _full_box(b"mvhd", movie, _MATRIX, bytes(24), struct.pack(">I", 2)),
        _box(
            b"trak",
            _full_box(
                b"tkhd", track, _MATRIX, struct.pack(">II", width << 16, height << 16), flags=3
            ),
            _media(sizes, first_offset, duration),
        ),
    )


def _media(sizes: list[int], first_offset: int, duration: int) -> bytes:
    """Return the `mdia` box."""
    return _box(
        b"mdia",
        _full_box(b"mdhd", struct.pack(">IIIIHH", 0, 0, _TIMESCALE, duration, 0x55C4, 0)),
        _full_box(b"hdlr", bytes(4), b"vide", bytes(12), b"pictures\x00"),
        _box(
            b"minf",
            _full_box(b"vmhd", bytes(8), flags=1),
            _box(b"dinf", _full_box(b"dref", struct.pack(">I", 1), _full_box(b"url ", flags=1))),
            _samples(sizes, first_offset),
        ),
    )


def _samples(sizes: list[int], first_offset: int) -> bytes:
    """Return the `stbl` box: one chunk holds all pictures, and every one is a key frame."""
    count = len(sizes)
    ticks = _TIMESCALE // FRAMES_PER_SECOND
    return _box(
        b"stbl",
        _full_box(b"stsd", struct.pack(">I", 1), _sample_entry()),
        _full_box(b"stts", struct.pack(">III", 1, count, ticks)),
        _full_box(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        _full_box(b"stsz", struct.pack(">II", 0, count), struct.pack(f">{count}I", *sizes)),
        _full_box(b"stco", struct.pack(">II", 1, first_offset)),
    )


def _sample_entry() -> bytes:
    """Return the `avc1` box with the decoder's configuration."""
    sequence, picture = _parameter_sets()
    configuration = (
        b"\x01\x42\xc0\x29\xff\xe1"
        + struct.pack(">H", len(sequence))
        + sequence
        + b"\x01"
        + struct.pack(">H", len(picture))
        + picture
    )
    size = struct.pack(">HH", COLUMNS * _MACROBLOCK, ROWS * _MACROBLOCK)
    rest = struct.pack(">IIIH32xHh", 0x480000, 0x480000, 0, 1, 24, -1)
    entry = bytes(6) + b"\x00\x01" + bytes(16) + size + rest
    return _box(b"avc1", entry, _box(b"avcC", configuration))
