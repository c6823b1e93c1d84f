"""Pictures to break: a small good one of every format and kind that Ligera reads, and sizes that none should claim."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from .damage import any_of, damaged

__all__ = ["hostile_source"]

# (width, height) px. The last is what a small file may honestly hold; the others are lies of different kinds.
CLAIMS = (
    (0, 0),
    (0, 40),
    (1, 65_535),
    (65_535, 65_535),
    (2**31 - 1, 1),
    (2**32 - 1, 2**32 - 1),
    (40_000, 2),
    (3_000, 2_000),
)
SUFFIXES = (".jpg", ".png", ".gif", ".bmp", ".webp", ".tif", ".ppm", ".txt", ".mp4", ".avi", "")
NAMES = ("photo", "a b", "-", "--json", "7", "ö\u202e", "line\nbreak", "tab\t", "%d", "[x]", "*", "x" * 200)
STRANGERS = (
    b"",
    b"\n",
    b"<html><body>404</body></html>",
    b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"RIFF\xff\xff\xff\xffWEBPVP8X",
    b"II*\x00\x08\x00\x00\x00\xff\xff",
    b"MM\x00+\x00\x08\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
    b"P6 3000 2000 255\n",
    b"P1\n#" + b"#" * 4096,
    b"version https://git-lfs.github.com/spec/v1\n",
)


@functools.cache
def _good() -> tuple[bytes, ...]:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    rgb = Image.fromarray(pixels)
    turned = Image.Exif()
    turned[274] = 6
    clear = rgb.copy()
    clear.putalpha(120)
    deep = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    forms = (
        (rgb, "JPEG", {}),
        (rgb, "JPEG", {"progressive": True, "exif": turned}),
        (rgb.convert("L"), "JPEG", {"restart_marker_rows": 1}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "PNG", {"exif": turned}),
        (clear, "PNG", {}),
        (rgb.convert("P"), "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (rgb.convert("1"), "PNG", {}),
        (rgb.convert("P"), "GIF", {"save_all": True, "append_images": [rgb.rotate(180).convert("P")], "loop": 0}),
        (rgb, "BMP", {}),
        (rgb.convert("P"), "BMP", {}),
        (rgb, "WEBP", {"exif": turned}),
        (clear, "WEBP", {"lossless": True}),
        (clear, "WEBP", {"save_all": True, "append_images": [clear.rotate(180)]}),
        (rgb, "TIFF", {}),
        (clear, "TIFF", {"compression": "tiff_lzw"}),
        (rgb, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (rgb, "PPM", {}),
        (rgb.convert("1"), "PPM", {}),
    )
    return tuple(_encoded(image, form, options) for image, form, options in forms)


def _encoded(image: Image.Image, form: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _lying(content: bytes, width: int, height: int) -> bytes:
    """``content`` with another size in its header, checksums put right."""
    changed = bytearray(content)
    if content[:3] == b"\xff\xd8\xff":
        place = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
        struct.pack_into(">HH", changed, place + 5, height & 0xFFFF, width & 0xFFFF)
    elif content[:4] == b"\x89PNG":
        struct.pack_into(">II", changed, 16, width, height)
        changed = bytearray(_summed(bytes(changed)))
    elif content[:3] == b"GIF":
        struct.pack_into("<HH", changed, 6, width & 0xFFFF, height & 0xFFFF)
    elif content[:2] == b"BM":
        struct.pack_into("<II", changed, 18, width, height)
    elif content[12:16] == b"VP8X":
        changed[24:30] = (width & 0xFFFFFF).to_bytes(3, "little") + (height & 0xFFFFFF).to_bytes(3, "little")
    elif content[12:16] == b"VP8 ":
        struct.pack_into("<HH", changed, 26, width & 0x3FFF, height & 0x3FFF)
    elif content[:4] == b"II*\x00":
        for tag, value in ((256, width), (257, height)):
            place = content.find(struct.pack("<HHI", tag, 4, 1))
            if place > 0:
                struct.pack_into("<I", changed, place + 8, value)
    elif content[:1] == b"P":
        return content.replace(b"60 40", f"{width} {height}".encode())
    return bytes(changed)


def _summed(content: bytes) -> bytes:
    """A PNG whose checksums are right again, so that damage reaches the decoder."""
    changed, place = bytearray(content), 8
    while place + 12 <= len(changed):
        length = int.from_bytes(changed[place : place + 4])
        end = place + 8 + length
        if end + 4 > len(changed):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(changed[place + 4 : end]))
        place = end + 4
    return bytes(changed)


def _content(random: np.random.Generator) -> bytes:
    content = any_of(random, _good())
    kind = int(random.integers(10))
    if kind < 6:
        broken = damaged(content, random)
        return _summed(broken) if broken[:4] == b"\x89PNG" and kind % 2 else broken
    if kind == 6:
        return _lying(content, *any_of(random, CLAIMS))
    if kind == 7:
        other = any_of(random, _good())
        return content[: len(content) // 3] + other[len(other) // 3 :]
    if kind == 8:
        return any_of(random, STRANGERS) + random.bytes(int(any_of(random, (0, 0, 30, 3000))))
    return content


def hostile_source(random: np.random.Generator, folder: Path) -> Path:
    """Something in ``folder`` for ``detect`` to look at: mostly a damaged file, at times no file at all."""
    path = folder / f"{any_of(random, NAMES)}{any_of(random, SUFFIXES)}"
    kind = int(random.integers(25))
    if kind == 0:
        path.mkdir()
        if random.random() < 0.5:
            (path / "inside.jpg").write_bytes(_content(random))
    elif kind == 1:
        path.symlink_to(any_of(random, (path.name, "nowhere", "/dev/null", folder)))
    elif kind != 2:
        path.write_bytes(_content(random))
    return path
