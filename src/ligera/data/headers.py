"""Picture headers: format, size in px, transparency and rotation of a file, before anything is decoded.

In: the bytes of a picture from anyone. Out: :class:`Header`, or a ``ValueError`` that says what the bytes lack. Reading
the size first is what keeps a decompression bomb (a small file that claims a huge picture) from taking memory; walking
the parts of a JPEG or PNG to their end tells a truncated file from a whole one. Sources: ITU T.81 annex B (JPEG), PNG
third edition, GIF89a, TIFF 6.0 and BigTIFF, the WebP container specification, EXIF 2.32 (orientation).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["FORMATS", "Header", "read_header"]

FORMATS = "JPEG, PNG, GIF, BMP, WebP, TIFF or PNM"

# Encoders write about ten passes over a progressive JPEG. A scan of 23 bytes costs as much time as a whole pass, so
# a small file of thousands of them would keep a decoder busy for minutes.
MAX_JPEG_SCANS = 50
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)

_TAG_WIDTH, _TAG_HEIGHT, _TAG_ORIENTATION, _TAG_EXTRA_SAMPLES = 256, 257, 274, 338
_TAG_TILE_WIDTH, _TAG_TILE_HEIGHT = 322, 323


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: ``width`` and ``height`` in px as stored, before any rotation.

    ``alpha`` is whether it may be transparent and so is decoded unchanged; ``orientation`` the EXIF value 1 to 8, used
    then, as the decoder turns only what it decodes as plain colour.
    ``decoded_pixels`` is what the decoder may allocate, which TIFF tiles can make larger than the picture.
    """

    format: str
    width: int
    height: int
    alpha: bool = False
    orientation: int = 1
    tile_pixels: int = 0

    @property
    def decoded_pixels(self) -> int:
        return max(self.width * self.height, self.tile_pixels)


def read_header(content: bytes) -> Header:
    """The header of a picture file; raises ``ValueError`` (a clause such as "is truncated") when there is none."""
    for magic, reader in _READERS:
        if re.match(magic, content, re.DOTALL):
            try:
                header = reader(content)
            except (struct.error, IndexError, OverflowError):
                raise ValueError("is truncated within its header") from None
            if header.width < 1 or header.height < 1:
                raise ValueError(f"claims a picture of {header.width} x {header.height} px")
            return header
    if content[4:8] == b"ftyp":
        raise ValueError(f"is an AVIF, HEIC or video file; convert it to {FORMATS}")
    raise ValueError(f"is not a picture Ligera reads ({FORMATS})")


def _jpeg(content: bytes) -> Header:
    place, size = 2, None
    while True:
        while content[place] == 0xFF and content[place + 1] == 0xFF:
            place += 1
        if content[place] != 0xFF:
            raise ValueError("is a damaged JPEG")
        marker = content[place + 1]
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", content, place + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, place + 5)
            size = size or (width, height)
        if marker in (0xD9, 0xDA):
            break
        place += 2 + max(length, 2)
    if size is None:
        raise ValueError("is a JPEG without a frame")
    if content.rfind(b"\xff\xd9") < place:
        raise ValueError("is truncated: a JPEG without its end marker")
    if _scan_count(content, place) > MAX_JPEG_SCANS:
        raise ValueError(f"is a JPEG of more than {MAX_JPEG_SCANS} scans, made to keep a decoder busy")
    return Header("JPEG", *size)


def _scan_count(content: bytes, place: int) -> int:
    """Passes over the whole picture from the first scan header at ``place``, counted to just above the limit."""
    count = 0
    while count <= MAX_JPEG_SCANS and (match := _JPEG_MARKER.search(content, place)) and match[1] != b"\xd9":
        count += match[1] == b"\xda"
        place = match.end() + max(int.from_bytes(content[match.end() : match.end() + 2]), 2)
    return count


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and data of each chunk to ``IEND``; checks the sums of those a decoder cannot do without."""
    view, place = memoryview(content), 8
    while True:
        if place + 12 > len(content):
            raise ValueError("is truncated: a PNG without its end")
        (length,) = struct.unpack_from(">I", content, place)
        name, data = content[place + 4 : place + 8], view[place + 8 : place + 8 + length]
        place += 12 + length
        if place > len(content):
            raise ValueError("is truncated: a PNG without its end")
        critical = not name[0] & 0x20
        if critical and zlib.crc32(view[place - 8 - length : place - 4]) != int.from_bytes(view[place - 4 : place]):
            raise ValueError("is a damaged PNG (wrong checksum)")
        yield name, data
        if name == b"IEND":
            return


def _png(content: bytes) -> Header:
    width = height = 0
    alpha, orientation = False, 1
    for number, (name, data) in enumerate(_png_chunks(content)):
        if (number == 0) != (name == b"IHDR"):
            raise ValueError("is a damaged PNG (header out of place)")
        if number == 0:
            width, height, _, colour = struct.unpack_from(">IIBB", data)
            alpha = colour in (4, 6)
        elif name == b"tRNS":
            alpha = True
        elif name == b"eXIf":
            orientation = _exif_orientation(bytes(data))
    return Header("PNG", width, height, alpha, orientation)


def _gif(content: bytes) -> Header:
    width, height = struct.unpack_from("<HH", content, 6)
    return Header("GIF", width, height, alpha=True)


def _bmp(content: bytes) -> Header:
    (header_size,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", content, 18)
    return Header("BMP", width, abs(height))


def _webp(content: bytes) -> Header:
    (length,) = struct.unpack_from("<I", content, 4)
    if length + 8 > len(content):
        raise ValueError("is truncated: a WebP shorter than it says")
    kind, data = content[12:16], content[20:]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (4, 7))
        orientation = _webp_orientation(content) if data[0] & 0x08 else 1
        # Flags: 0x10 transparent, 0x08 EXIF (older OpenCV ignores it, so ours to turn), 0x02 an animation.
        return Header("WebP", width, height, bool(data[0] & 0x1A), orientation)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 1)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)


def _webp_orientation(content: bytes) -> int:
    place = 12
    while place + 8 <= len(content):
        name, (length,) = content[place : place + 4], struct.unpack_from("<I", content, place + 4)
        if name == b"EXIF":
            return _exif_orientation(content[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    return 1


def _tiff(content: bytes) -> Header:
    tags = _tiff_tags(content)
    if _TAG_WIDTH not in tags or _TAG_HEIGHT not in tags:
        raise ValueError("is a TIFF that does not say its size")
    tile_pixels = tags.get(_TAG_TILE_WIDTH, 0) * tags.get(_TAG_TILE_HEIGHT, 0)
    # The TIFF decoder turns the picture itself, so its orientation stays 1 here.
    return Header("TIFF", tags[_TAG_WIDTH], tags[_TAG_HEIGHT], _TAG_EXTRA_SAMPLES in tags, 1, tile_pixels)


def _tiff_tags(content: bytes) -> dict[int, int]:
    """First value of each whole-number tag in the first directory of a TIFF, BigTIFF or EXIF block."""
    order = "<" if content[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    (place,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), content, place)
    place, step, value_place = place + (8 if big else 2), 20 if big else 12, 12 if big else 8
    tags: dict[int, int] = {}
    for entry in range(place, place + min(count, 4096) * step, step):
        tag, kind = struct.unpack_from(order + "HH", content, entry)
        code = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if code:
            tags.setdefault(tag, struct.unpack_from(order + code, content, entry + value_place)[0])
    return tags


def _exif_orientation(block: bytes) -> int:
    """EXIF orientation 1 to 8; 1 when the block is damaged, as viewers do."""
    block = block.removeprefix(b"Exif\0\0")
    try:
        value = _tiff_tags(block).get(_TAG_ORIENTATION, 1)
    except (struct.error, OverflowError):
        return 1
    return value if 1 <= value <= 8 else 1


def _pnm(content: bytes) -> Header:
    match = re.match(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,10})(?:\s|#[^\n]*\n)+(\d{1,10})\s", content[:4096])
    if not match:
        raise ValueError("is a PNM without a size")
    return Header("PNM", int(match[1]), int(match[2]))


_READERS = (
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"GIF8[79]a", _gif),
    (rb"BM.{12}[\x0c-\x7f]\x00\x00\x00", _bmp),
    (rb"RIFF....WEBP", _webp),
    (rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]", _tiff),
    (rb"P[1-6][\s#]", _pnm),
)
