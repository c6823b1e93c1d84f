"""Any picture file is read as a viewer shows it, or refused in one line."""

from __future__ import annotations

import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ligera.data.pictures import decode_picture, find_pictures, read_picture
from ligera.errors import DataError, PictureError

from .conftest import encoded, noise, striped, write_picture

RED, BLUE = (200, 30, 10), (10, 20, 90)
TURNED = Image.Exif()
TURNED[274] = 6  # shown after a quarter turn clockwise: the left third comes to the top


def close(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 6) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_every_format_gives_the_same_rgb_picture(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {"quality": 95, "subsampling": 0} if format == "JPEG" else {}
    picture = decode_picture(encoded(striped(), format, **options), "striped")
    assert picture.pixels.shape == (40, 60, 3)
    assert picture.path == "striped"
    assert close(picture.pixels[20, 5], RED)
    assert close(picture.pixels[20, 50], BLUE)


def test_a_cmyk_jpeg_comes_out_in_its_colours() -> None:
    picture = decode_picture(encoded(striped().convert("CMYK"), "JPEG", quality=95))
    assert close(picture.pixels[20, 5], RED, 20)
    assert close(picture.pixels[20, 50], BLUE, 20)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "PPM"])
def test_grey_pictures_become_three_equal_channels(format: str) -> None:
    pixels = decode_picture(encoded(Image.new("L", (7, 5), 77), format)).pixels
    assert pixels.shape == (5, 7, 3)
    assert (pixels == 77).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_the_high_byte(format: str) -> None:
    deep = Image.fromarray(np.full((5, 7), 51400, np.uint16))
    assert (decode_picture(encoded(deep, format)).pixels == 200).all()


def test_sixteen_bits_with_transparency_are_laid_over_white() -> None:
    deep = np.full((5, 7, 4), (0, 0, 51400, 32768), np.uint16)  # OpenCV writes blue first
    content = cv2.imencode(".png", deep)[1].tobytes()
    assert close(decode_picture(content).pixels[2, 2], (227, 127, 127), 1)


def test_palette_pictures_are_read_in_colour() -> None:
    pixels = decode_picture(encoded(striped().quantize(4), "PNG")).pixels
    assert close(pixels[20, 5], RED)
    assert close(pixels[20, 50], BLUE)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_laid_over_white(format: str) -> None:
    glass = Image.new("RGBA", (8, 6), (200, 30, 10, 0))
    glass.paste((200, 30, 10, 102), (4, 0, 8, 6))
    pixels = decode_picture(encoded(glass, format, **({"lossless": True} if format == "WEBP" else {}))).pixels
    assert close(pixels[3, 1], (255, 255, 255), 1)
    assert close(pixels[3, 6], (233, 165, 157), 2)


def test_a_transparent_palette_colour_is_white() -> None:
    image = striped().quantize(2)
    pixels = decode_picture(encoded(image, "PNG", transparency=image.getpixel((5, 20)))).pixels
    assert (pixels[20, 5] == 255).all()
    assert close(pixels[20, 50], BLUE)


@pytest.mark.parametrize(
    "format, transparent",
    [("JPEG", False), ("PNG", False), ("PNG", True), ("WEBP", False), ("WEBP", True), ("TIFF", False), ("TIFF", True)],
)
def test_exif_rotation_is_honoured(format: str, transparent: bool) -> None:
    image = striped()
    if transparent:
        image.putalpha(254)
    pixels = decode_picture(encoded(image, format, exif=TURNED.tobytes())).pixels
    assert pixels.shape == (60, 40, 3)
    assert close(pixels[5, 20], RED, 12)
    assert close(pixels[50, 20], BLUE, 12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_turns_a_transparent_png_as_opencv_turns_an_opaque_one(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    opaque, clear = noise(), noise().convert("RGBA")
    assert np.array_equal(
        decode_picture(encoded(clear, "PNG", exif=exif.tobytes())).pixels,
        decode_picture(encoded(opaque, "PNG", exif=exif.tobytes())).pixels,
    )


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_picture_of_several_is_read(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    rest = [Image.new("RGB", (60, 40), (0, 255, 0))]
    content = encoded(striped(), format, save_all=True, append_images=rest, **options)
    pixels = decode_picture(content).pixels
    assert pixels.shape == (40, 60, 3)
    assert close(pixels[20, 5], RED)
    assert close(pixels[20, 50], BLUE)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_single_pixel_is_a_picture(format: str) -> None:
    assert decode_picture(encoded(Image.new("RGB", (1, 1), (9, 9, 9)), format)).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_file_cut_short_is_refused(format: str, part: float) -> None:
    content = encoded(noise(), format)
    with pytest.raises(PictureError, match=r"photo.*(truncated|cut short|does not say)"):
        decode_picture(content[: int(len(content) * part)], "photo")


def test_a_jpeg_without_its_end_is_truncated_even_when_its_thumbnail_is_whole() -> None:
    thumbnail = encoded(striped(), "JPEG")
    whole = encoded(noise(), "JPEG")
    comment = b"\xff\xfe" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    content = whole[:2] + comment + whole[2:]
    assert decode_picture(content).width == 60
    with pytest.raises(PictureError, match="truncated: a JPEG without its end marker"):
        decode_picture(content[:-40])


def test_bytes_after_the_end_of_a_jpeg_do_no_harm() -> None:
    assert decode_picture(encoded(noise(), "JPEG") + b"camera maker's notes").width == 60


def test_a_png_with_a_flipped_bit_is_damaged() -> None:
    content = bytearray(encoded(noise(), "PNG"))
    content[len(content) // 2] ^= 1
    with pytest.raises(PictureError, match="damaged PNG"):
        decode_picture(bytes(content))


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "is empty"),
        (b"\0", "not a picture"),
        (b"hello, world", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\0\0\0\x20ftypavif", "AVIF, HEIC or video"),
        (b"GIF89a\0\0\0\0\0\0\0", "claims a picture of 0 x 0 px"),
        (b"P6 x 4 255 ", "without a size"),
        (b"II*\0\x08\0\0\0\0\0", "does not say its size"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(content: bytes, complaint: str) -> None:
    with pytest.raises(PictureError, match=complaint) as caught:
        decode_picture(content, "thing")
    assert str(caught.value).startswith("thing: ")
    assert "\n" not in str(caught.value)


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _patched(content: bytes, place: int, fields: bytes) -> bytes:
    return content[:place] + fields + content[place + len(fields) :]


def _bombs() -> dict[str, bytes]:
    small = Image.new("RGB", (4, 4))
    jpeg, tiff = encoded(small, "JPEG"), encoded(small, "TIFF")
    tiff_entries = struct.unpack_from("<I", tiff, 4)[0] + 2
    wide = struct.pack("<HHIHHHHI", 256, 4, 1, 60000, 0, 257, 4, 1)
    return {
        "PNG": _png_claiming(60000, 60000),
        "JPEG": _patched(jpeg, jpeg.index(b"\xff\xc0") + 5, struct.pack(">HH", 60000, 60000)),
        "GIF": _patched(encoded(small, "GIF"), 6, struct.pack("<HH", 60000, 60000)),
        "BMP": _patched(encoded(small, "BMP"), 18, struct.pack("<ii", 60000, -60000)),
        "WebP": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (59999).to_bytes(3, "little") * 2 + bytes(8),
        "TIFF": _patched(tiff, tiff_entries, wide + struct.pack("<I", 60000)),
        "PNM": b"P6 60000 60000 255\n" + bytes(100),
    }


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WebP", "TIFF", "PNM"])
def test_a_bomb_is_refused_by_its_header_before_it_is_decoded(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the bomb was decoded")

    content = _bombs()[format]
    monkeypatch.setattr(cv2, "imdecode", never)
    with pytest.raises(
        PictureError, match=r"claims 60000 x 60000 px \(3,600 MP to decode\), above the limit of 100 MP"
    ):
        decode_picture(content)


def test_the_tiles_of_a_tiff_count_as_what_it_would_take_to_decode_it() -> None:
    fields = [(256, 16), (257, 16), (322, 40000), (323, 40000)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    with pytest.raises(PictureError, match="claims 16 x 16 px"):
        decode_picture(b"II*\0\x08\0\0\0" + struct.pack("<H", len(fields)) + entries + bytes(4))


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(noise(), "JPEG", progressive=True)
    assert decode_picture(content).width == 60
    last_scan = content[content.rindex(b"\xff\xda") : -2]
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(PictureError, match="more than 50 scans"):
        decode_picture(content[:-2] + last_scan * 1000 + content[-2:])


def test_the_limit_of_pixels_is_the_callers_choice() -> None:
    content = encoded(noise(), "PNG")
    assert decode_picture(content, max_pixels=2400).width == 60
    with pytest.raises(PictureError, match="above the limit"):
        decode_picture(content, max_pixels=2399)


def test_a_file_far_too_long_for_a_picture_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "disk.jpg"
    with file.open("wb") as stream:
        stream.truncate(2**21)
    with pytest.raises(PictureError, match=r"disk\.jpg: is a file of 2 MB, too large"):
        read_picture(file, max_pixels=1000)


def test_a_missing_file_a_folder_and_an_empty_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for name, complaint in [("nowhere.png", "no such file"), ("", "is a folder"), ("empty.png", "is empty")]:
        with pytest.raises(PictureError, match=complaint) as caught:
            read_picture(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0byte.jpg"])
def test_a_name_no_file_system_accepts_is_a_picture_error(name: str) -> None:
    with pytest.raises(PictureError):
        read_picture(name)


def test_opencv_stays_silent_and_keeps_its_log_level(capfd: pytest.CaptureFixture[str]) -> None:
    logging = getattr(cv2.utils, "logging", cv2)
    before = logging.getLogLevel()
    size = b"".join(struct.pack("<HHII", tag, 4, 1, 16) for tag in (256, 257))
    broken = b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + size + bytes(4)  # a size, and nowhere any pixels

    def decode_some() -> None:
        for _ in range(20):
            with pytest.raises(PictureError, match="cannot be decoded"):
                decode_picture(broken)

    threads = [threading.Thread(target=decode_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == ""
    assert logging.getLogLevel() == before


def test_mutated_pictures_end_in_a_picture_or_a_picture_error() -> None:
    chance = np.random.default_rng(11)
    sources = [encoded(noise(24, 16), f) for f in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")]
    sources += [encoded(noise(24, 16).convert("RGBA"), f) for f in ("PNG", "WEBP", "TIFF")]
    read = refused = 0
    for turn in range(600):
        content = bytearray(sources[turn % len(sources)])
        # Half the damage goes into the first bytes, where the headers are.
        reach = len(content) if turn % 2 else min(len(content), 120)
        for place in chance.integers(0, reach, chance.integers(1, 6)):
            content[place] = chance.integers(0, 256)
        if chance.random() < 0.3:
            del content[chance.integers(0, len(content)) :]
        try:
            assert decode_picture(bytes(content), max_pixels=1_000_000).pixels.size
            read += 1
        except PictureError as error:
            assert "\n" not in str(error)
            refused += 1
    assert read > 50 and refused > 200


def test_a_folder_is_searched_to_its_depth_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ["b.jpg", "a.JPEG", "sub/c.png", ".hidden.jpg", ".thumbnails/d.jpg", "sub/._e.jpg"]:
        write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    found = [str(path.relative_to(tmp_path)) for path in find_pictures(tmp_path)]
    assert found == ["a.JPEG", "b.jpg", "sub/c.png"]


def test_links_to_folders_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    write_picture(tmp_path / "elsewhere" / "a.jpg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set")
    assert [path.name for path in find_pictures(tmp_path / "set")] == ["a.jpg"]


def test_a_file_is_found_whatever_its_name(tmp_path: Path) -> None:
    odd = write_picture(tmp_path / "photo[1].dat")
    assert list(find_pictures(str(odd))) == [odd]


def test_a_glob_gives_pictures_only(tmp_path: Path) -> None:
    for name in ["x1.jpg", "x2.jpg", "y.jpg", "deep/x3.jpg"]:
        write_picture(tmp_path / name)
    (tmp_path / "x.txt").touch()
    assert [p.name for p in find_pictures(f"{tmp_path}/x*")] == ["x1.jpg", "x2.jpg"]
    assert [p.name for p in find_pictures(f"{tmp_path}/**/x?.jpg")] == ["x3.jpg", "x1.jpg", "x2.jpg"]


@pytest.mark.parametrize("name, complaint", [("", "no pictures"), ("none", "no such file"), ("*.jpg", "no pictures")])
def test_finding_nothing_is_an_error_that_names_the_place(tmp_path: Path, name: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        list(find_pictures(f"{tmp_path}/{name}"))
    assert str(tmp_path) in str(caught.value)
