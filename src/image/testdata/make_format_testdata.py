#!/usr/bin/env python3
"""Makes bmp/, gif/, tiff/, webp/ and heif/: small files of many kinds, and beside each what Pillow makes of it, as a PPM.

Usage: make_format_testdata.py [FOLDER]    (needs Pillow and pillow-heif; made with 13.0 and 1.8)

The expected pixels are Pillow's exif_transpose and convert("RGB"), but for what is transparent, which is pasted over
white, and for gray of more than 8 bits, which Pillow cuts off at 255: of that the upper 8 bits are taken. A name with
"lossy" says that two decoders may differ by a little, with "chroma" that they enlarge it by other filters. Kinds that Pillow writes are written with it, the others by hand.
"""
import random
import struct
import sys
import zlib
from pathlib import Path

import pillow_heif
from PIL import Image, ImageOps

WIDTH, HEIGHT = 11, 9
draw = random.Random(11)


def numbers(count, top=255):
    return [draw.randint(0, top) for _ in range(count)]


def smooth(width, height, alpha=False):
    """An image that lossy formats keep well: slopes and an edge."""
    image = Image.new("RGBA" if alpha else "RGB", (width, height))
    for y in range(height):
        for x in range(width):
            colour = (255 * x // (width - 1), 255 * y // (height - 1), 200 if x + y < width else 60)
            image.putpixel((x, y), colour + ((255 * x // (width - 1)),) if alpha else colour)
    return image


def noise(mode="RGB", width=WIDTH, height=HEIGHT):
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), bytes(numbers(bands * width * height)))


# Bitmaps, by hand: file header, header, masks, palette, rows.


def packed_row(values, bits):
    if bits in (16, 24, 32):
        row = b"".join(v.to_bytes(bits // 8, "little") for v in values)
    else:
        text = "".join(format(v, f"0{bits}b") for v in values)
        text += "0" * (-len(text) % 8)
        row = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))
    return row + bytes(-len(row) % 4)


def bmp(bits, rows, palette=b"", header=40, compression=0, masks=(), top_down=False, colours=0, data=None,
        offset=None):
    if data is None:
        data = b"".join(packed_row(row, bits) for row in (rows if top_down else rows[::-1]))
    if header == 12:
        info = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, compression,
                           len(data), 0, 0, colours, 0)
        info += b"".join(struct.pack("<I", m) for m in masks)
        info += bytes(max(0, header - len(info)))
    if offset is None:
        offset = 14 + len(info) + len(palette)
    size = 14 + len(info) + len(palette) + len(data)
    return struct.pack("<2sIHHI", b"BM", size, 0, 0, offset) + info + palette + data


def rle8(rows):
    """Runs, literal pixels, a jump, rows that end early, and the end before the last rows."""
    out = b""
    for y, row in enumerate(rows[::-1]):
        if y == 2:
            out += bytes([0, 2, 3, 1])  # three columns on, a row up
            continue
        if y == 3:
            out += bytes([2, 5, 0, 0])
            continue
        if y == 4:
            out += bytes([40, 7, 0, 0])  # a run that is longer than the row
            continue
        out += bytes([4, row[0], 0, 5]) + bytes(row[4:9]) + b"\0" + bytes([2, row[9], 0, 0])
    return out + bytes([0, 1])


def rle4(rows):
    out = b""
    for y, row in enumerate(rows[::-1]):
        out += bytes([5, row[0] << 4 | row[1], 0, 5, row[2] << 4 | row[3], row[4] << 4 | row[5], row[6] << 4, 0])
        out += bytes([1, row[7] << 4, 0, 0])
    return out + bytes([0, 1])


def bitmaps():
    def rows(top):
        return [numbers(WIDTH, top) for _ in range(HEIGHT)]

    def palette(count, step=4):
        return b"".join(bytes(numbers(3)) + bytes(step - 3) for _ in range(count))

    files = {f"palette-{bits}": bmp(bits, rows((1 << bits) - 1), palette(1 << bits)) for bits in (1, 4, 8)}
    files["palette-short"] = bmp(8, rows(4), palette(5), colours=5)
    files["palette-os2"] = bmp(4, rows(15), palette(16, 3), header=12)
    files["palette-top-down"] = bmp(8, rows(255), palette(256), top_down=True)
    files["palette-gray"] = bmp(8, rows(255), bytes(v for i in range(256) for v in (i, i, i, 0)))
    files["palette-offset"] = bmp(4, rows(15), palette(16), offset=54)
    files["gap"] = bmp(24, rows(0xffffff), b"gap!gap!")
    indices = rows(15)
    files["rle8"] = bmp(8, None, palette(16), compression=1, colours=16, data=rle8(indices))
    files["rle4"] = bmp(4, None, palette(16), compression=2, data=rle4(indices))
    files["rgb-16"] = bmp(16, rows(0x7fff))
    files["rgb-24"] = bmp(24, rows(0xffffff))
    files["rgb-24-os2"] = bmp(24, rows(0xffffff), header=12)
    files["rgb-24-v5"] = bmp(24, rows(0xffffff), header=124)
    files["rgb-32"] = bmp(32, rows(0xffffffff))
    files["rgb-32-top-down"] = bmp(32, rows(0xffffffff), top_down=True)
    files["masks-565"] = bmp(16, rows(0xffff), compression=3, masks=(0xf800, 0x7e0, 0x1f))
    files["masks-555"] = bmp(16, rows(0x7fff), compression=3, masks=(0x7c00, 0x3e0, 0x1f), header=56)
    files["masks-bgr"] = bmp(32, rows(0xffffffff), compression=3, masks=(0xff000000, 0xff0000, 0xff00, 0), header=108)
    files["masks-rgba"] = bmp(32, rows(0xffffffff), compression=3, masks=(0xff0000, 0xff00, 0xff, 0xff000000),
                              header=124)
    files["masks-none"] = bmp(32, rows(0xffffffff), compression=3, masks=(0, 0, 0, 0), header=56)
    return {f"bmp/{name}.bmp": data for name, data in files.items()}


# GIF, by hand: LZW codes of one size, cleared before they would grow.


def lzw(indices, bits):
    clear, codes = 1 << bits, []
    for i, index in enumerate(indices):
        if i % (clear - 2) == 0:
            codes.append(clear)
        codes.append(index)
    text = "".join(format(c, f"0{bits + 1}b")[::-1] for c in codes + [clear + 1])
    text += "0" * (-len(text) % 8)
    data = bytes(int(text[i:i + 8][::-1], 2) for i in range(0, len(text), 8))
    blocks = [data[i:i + 255] for i in range(0, len(data), 255)]
    return bytes([bits]) + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0"


def gif_frame(left, top, width, height, bits, interlaced=False, palette=b"", transparent=None):
    rows = [numbers(width, (1 << bits) - 1) for _ in range(height)]
    if interlaced:
        rows = rows[0::8] + rows[4::8] + rows[2::4] + rows[1::2]
    control = b"" if transparent is None else b"!\xf9\x04" + struct.pack("<BHBB", 1, 0, transparent, 0)
    flags = (0x80 | bits - 1 if palette else 0) | (0x40 if interlaced else 0)
    return control + b"," + struct.pack("<HHHHB", left, top, width, height, flags) + palette + lzw(
        [v for row in rows for v in row], max(2, bits))


def gif(frames, bits=4, palette=None, background=3, size=(WIDTH, HEIGHT)):
    palette = bytes(numbers(3 << bits)) if palette is None else palette
    flags = 0x80 | bits - 1 if palette else 0
    return (b"GIF89a" + struct.pack("<HHBBB", *size, flags, background, 0) + palette + b"!\xfe\x03abc\0" +
            b"".join(frames) + b";")


def gifs():
    whole = (0, 0, WIDTH, HEIGHT)
    files = {
        "palette-2": gif([gif_frame(*whole, 1)], bits=1),
        "palette-16": gif([gif_frame(*whole, 4)]),
        "palette-256": gif([gif_frame(*whole, 8)], bits=8),
        "local-palette": gif([gif_frame(*whole, 3, palette=bytes(numbers(24)))]),
        "no-palette": gif([gif_frame(*whole, 4)], palette=b""),
        "interlaced": gif([gif_frame(*whole, 4, interlaced=True)]),
        "transparent": gif([gif_frame(*whole, 4, transparent=5)]),
        "animation": gif([gif_frame(*whole, 4), gif_frame(2, 2, 4, 4, 4, transparent=1)]),
        "frame-inside": gif([gif_frame(2, 3, 5, 4, 4)]),
        "frame-inside-transparent": gif([gif_frame(2, 3, 5, 4, 4, transparent=7)]),
        "frame-outside": gif([gif_frame(4, 5, WIDTH, HEIGHT, 4)]),
    }
    return {f"gif/{name}.gif": data for name, data in files.items()}


# TIFF, by hand: one directory, its blocks behind it.


def tiff(samples, bits, photometric, *, order="<", big=False, extra=(), planar=False, tile=None, rows_per_strip=None,
         compression=1, palette=None, orientation=None, top=None, premultiplied=False, fill_order=None):
    top = (1 << bits) - 1 if top is None else top
    pixels = [[numbers(samples, top) for _ in range(WIDTH)] for _ in range(HEIGHT)]
    if premultiplied:
        pixels = [[[min(v, p[-1]) for v in p[:-1]] + p[-1:] for p in row] for row in pixels]

    def packed(values):
        if bits == 16:
            return b"".join(struct.pack(order + "H", v) for v in values)
        text = "".join(format(v, f"0{bits}b") for v in values)
        text += "0" * (-len(text) % 8)
        data = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))
        if fill_order == 2:
            data = bytes(int(format(b, "08b")[::-1], 2) for b in data)
        return data

    def block(plane, top_row, left, height, width):
        out = b""
        for y in range(top_row, top_row + height):
            row = pixels[min(y, HEIGHT - 1)]
            row = [row[min(x, WIDTH - 1)] for x in range(left, left + width)]
            out += packed([p[plane] for p in row] if planar else [v for p in row for v in p])
        return zlib.compress(out) if compression == 8 else out

    blocks = []
    for plane in range(samples if planar else 1):
        if tile:
            blocks += [block(plane, y, x, tile, tile) for y in range(0, HEIGHT, tile) for x in range(0, WIDTH, tile)]
        else:
            step = rows_per_strip or HEIGHT
            blocks += [block(plane, y, 0, min(step, HEIGHT - y), WIDTH) for y in range(0, HEIGHT, step)]

    SHORT, LONG = 3, 4
    tags = [(256, LONG, [WIDTH]), (257, LONG, [HEIGHT]), (258, SHORT, [bits] * samples), (259, SHORT, [compression]),
            (262, SHORT, [photometric]), (277, SHORT, [samples]), (284, SHORT, [2 if planar else 1])]
    if tile:
        tags += [(322, LONG, [tile]), (323, LONG, [tile])]
    else:
        tags += [(278, LONG, [rows_per_strip or HEIGHT])]
    if fill_order:
        tags.append((266, SHORT, [fill_order]))
    if orientation:
        tags.append((274, SHORT, [orientation]))
    if extra:
        tags.append((338, SHORT, list(extra)))
    if palette:
        tags.append((320, SHORT, palette))
    offsets, counts = (324, 325) if tile else (273, 279)
    tags += [(offsets, LONG, [0] * len(blocks)), (counts, LONG, [len(b) for b in blocks])]
    tags.sort()

    head, entry, inline = (16, 20, 8) if big else (8, 12, 4)
    at = head + (8 + len(tags) * entry + 8 if big else 2 + len(tags) * entry + 4)
    places, behind = {}, b""
    for tag, kind, values in tags:
        size = len(values) * (2 if kind == SHORT else 4)
        if size > inline:
            places[tag] = at + len(behind)
            behind += bytes(size + size % 2)
    first = at + len(behind)
    data, directory, values_behind = b"".join(blocks), b"", b""
    starts = [first + sum(len(b) for b in blocks[:i]) for i in range(len(blocks))]
    for tag, kind, values in tags:
        values = starts if tag == offsets else values
        raw = b"".join(struct.pack(order + ("H" if kind == SHORT else "I"), v) for v in values)
        head_of_tag = struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        if tag in places:
            directory += head_of_tag + struct.pack(order + ("Q" if big else "I"), places[tag])
            values_behind += raw + bytes(len(raw) % 2)
        else:
            directory += head_of_tag + raw + bytes(inline - len(raw))
    mark = b"II" if order == "<" else b"MM"
    if big:
        return (mark + struct.pack(order + "HHHQ", 43, 8, 0, 16) + struct.pack(order + "Q", len(tags)) + directory +
                bytes(8) + values_behind + data)
    return (mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(tags)) + directory + bytes(4) +
            values_behind + data)


def tiffs():
    WHITE, BLACK, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5
    files = {}
    for bits in (1, 2, 4, 8):
        files[f"gray-{bits}"] = tiff(1, bits, BLACK, rows_per_strip=4)
        files[f"gray-{bits}-inverted"] = tiff(1, bits, WHITE, order=">")
        files[f"palette-{bits}"] = tiff(1, bits, PALETTE, palette=numbers(3 << bits, 65535))
    files["gray-12"] = tiff(1, 12, BLACK)
    files["gray-16"] = tiff(1, 16, BLACK)
    files["gray-16-big-endian"] = tiff(1, 16, BLACK, order=">", rows_per_strip=2)
    files["gray-alpha"] = tiff(2, 8, BLACK, extra=(2,))
    files["gray-other"] = tiff(2, 8, BLACK, extra=(0,))
    files["palette-alpha"] = tiff(2, 8, PALETTE, extra=(2,), palette=numbers(768, 65535))
    files["fill-order"] = tiff(1, 4, BLACK, fill_order=2)
    files["rgb-8"] = tiff(3, 8, RGB)
    files["rgb-8-strips"] = tiff(3, 8, RGB, rows_per_strip=2, compression=8)
    files["rgb-8-tiles"] = tiff(3, 8, RGB, tile=16, compression=8)
    files["rgb-8-planes"] = tiff(3, 8, RGB, planar=True, rows_per_strip=4)
    files["rgb-8-big"] = tiff(3, 8, RGB, big=True)
    files["rgb-8-big-endian"] = tiff(3, 8, RGB, order=">")
    files["rgb-16"] = tiff(3, 16, RGB)
    files["rgb-16-big-endian"] = tiff(3, 16, RGB, order=">")
    files["rgba"] = tiff(4, 8, RGB, extra=(2,))
    files["rgba-16"] = tiff(4, 16, RGB, extra=(2,))
    files["rgba-unsaid"] = tiff(4, 8, RGB)
    files["rgba-premultiplied"] = tiff(4, 8, RGB, extra=(1,), premultiplied=True)
    files["rgba-premultiplied-wrong"] = tiff(4, 8, RGB, extra=(1,))
    files["rgbx"] = tiff(4, 8, RGB, extra=(0,))
    files["rgba-planes"] = tiff(4, 8, RGB, extra=(2,), planar=True)
    files["cmyk-8"] = tiff(4, 8, CMYK)
    files["cmyk-16"] = tiff(4, 16, CMYK)
    for orientation in range(2, 9):
        files[f"orientation-{orientation}"] = tiff(1, 4, BLACK, orientation=orientation)
    return {f"tiff/{name}.tif": data for name, data in files.items()}


def add_exif_mark(file):
    """Some writers leave JPEG's mark before the TIFF file that EXIF is. The chunk is the last one."""
    data = file.read_bytes()
    at = data.index(b"EXIF")
    chunk = b"Exif\0\0" + data[at + 8:at + 8 + struct.unpack_from("<I", data, at + 4)[0]]
    data = data[:at + 4] + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)
    file.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def written_by_pillow(folder):
    def save(name, image, **options):
        (folder / name).parent.mkdir(exist_ok=True)
        image.save(folder / name, **options)
        return name

    exif = Image.Exif()
    names = []
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd"):
        names.append(save(f"tiff/by-{compression}.tif", smooth(WIDTH, HEIGHT), compression=compression))
    for compression in ("group3", "group4", "tiff_ccitt"):
        names.append(save(f"tiff/by-{compression}.tif", noise("L").convert("1"), compression=compression))
    names.append(save("tiff/by-jpeg-lossy.tif", smooth(19, 17), compression="jpeg", quality=90))
    names.append(save("tiff/by-jpeg-gray-lossy.tif", smooth(19, 17).convert("L"), compression="jpeg"))
    names.append(save("tiff/ycbcr.tif", smooth(WIDTH, HEIGHT).convert("YCbCr"), compression="tiff_lzw"))
    for name, image, options in [
            ("lossless", noise(), {"lossless": True}),
            ("lossless-alpha", noise("RGBA"), {"lossless": True, "exact": True}),
            ("lossy", smooth(19, 17), {"quality": 80}),
            ("lossy-alpha", smooth(19, 17, alpha=True), {"quality": 80}),
    ]:
        names.append(save(f"webp/{name}.webp", image, **options))
    for orientation in range(1, 9):
        exif[274] = orientation
        names.append(save(f"webp/orientation-{orientation}.webp", noise(width=4, height=3), lossless=True,
                          exif=exif.tobytes()))
        if orientation % 2 == 0:
            add_exif_mark(folder / names[-1])
    names.append(save("webp/animation.webp", noise(), save_all=True, append_images=[noise(), noise()], lossless=True))
    names.append(save("webp/animation-alpha.webp", noise("RGBA"), save_all=True, append_images=[noise("RGBA")],
                      lossless=True, exact=True))
    pillow_heif.register_heif_opener()
    for ending, options in (("heic", {}), ("avif", {"speed": 8, "subsampling": "4:4:4"})):
        names.append(save(f"heif/lossy.{ending}", smooth(24, 20), quality=95, **options))
        names.append(save(f"heif/lossy-odd.{ending}", smooth(23, 19), quality=95, **options))
        names.append(save(f"heif/lossy-alpha.{ending}", smooth(24, 20, alpha=True), quality=95, **options))
        names.append(save(f"heif/lossy-gray.{ending}", smooth(24, 20).convert("L"), quality=95, **options))
        for orientation in (2, 6, 8):
            exif[274] = orientation
            names.append(save(f"heif/lossy-orientation-{orientation}.{ending}", smooth(24, 20), quality=95,
                              exif=exif.tobytes(), **options))
    names.append(save("heif/lossy-chroma.avif", smooth(24, 20), quality=95, speed=8))
    return names


def expected(file):
    with Image.open(file) as image:
        image.load()
        twelve = file.name.startswith("gray-12")
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            out = Image.new("RGB", image.size)
            out.putdata([(v >> (4 if twelve else 8),) * 3 for v in image.get_flattened_data()])
            return out
        if image.mode in ("RGBA", "LA", "PA", "La") or "transparency" in image.info:
            rgba = image.convert("RGBA")
            out = Image.new("RGB", image.size, "white")
            out.paste(rgba, mask=rgba.getchannel("A"))
            return out
        return image.convert("RGB")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    names = []
    for name, data in (bitmaps() | gifs() | tiffs()).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        names.append(name)
    names += written_by_pillow(folder)
    for name in names:
        expected(folder / name).save(folder / f"{name}.ppm")


main()
