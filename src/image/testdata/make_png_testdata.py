#!/usr/bin/env python3
"""Makes png/: small PNG files of every kind, and beside each what Pillow makes of it, as a PPM.

Usage: make_png_testdata.py [FOLDER]    (needs Pillow; made with 13.0)

The expected pixels are Pillow's convert("RGB") but for what is transparent, which is pasted over white; of 16-bit gray,
which Pillow cuts off at 255, the upper 8 bits are taken; and a transparent gray of fewer than 8 bits is stretched as the
pixels are, which Pillow forgets.
"""
import random
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 11, 9
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
# First column and row, and the steps, of Adam7's passes.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    bits = "".join(format(s, f"0{depth}b") for s in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows, step):
    """Each row with the next of the five filters."""
    out, above = b"", bytes(len(rows[0]))
    for y, row in enumerate(rows):
        left = bytes(step) + row[:-step] if len(row) > step else bytes(len(row))
        corner = bytes(step) + above[:-step] if len(row) > step else bytes(len(row))
        guess = [lambda i: 0, lambda i: left[i], lambda i: above[i], lambda i: (left[i] + above[i]) // 2,
                 lambda i: paeth(left[i], above[i], corner[i])][y % 5]
        out += bytes([y % 5]) + bytes((v - guess(i)) % 256 for i, v in enumerate(row))
        above = row
    return out


def png(colour, depth, pixels, interlaced=False, extra=b""):
    """`pixels[y][x]` is a tuple of samples."""
    step = max(1, CHANNELS[colour] * depth // 8)
    data = b""
    for x0, y0, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        rows = [packed([s for p in row[x0::dx] for s in p], depth) for row in pixels[y0::dy]]
        if rows and rows[0]:
            data += filtered(rows, step)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9)) +
            chunk(b"IEND", b""))


def expected(file, depth):
    """What is to be read from it."""
    with Image.open(file) as image:
        image.load()
        if image.mode.startswith("I"):
            transparent = image.info.get("transparency")
            values = list(image.get_flattened_data())
            out = Image.new("RGB", image.size)
            out.putdata([(255,) * 3 if v == transparent else (v >> 8,) * 3 for v in values])
            return out
        if image.mode == "L" and "transparency" in image.info:
            image.info["transparency"] *= 255 // ((1 << depth) - 1)
        if image.mode in ("RGBA", "LA") or "transparency" in image.info:
            rgba = image.convert("RGBA")
            out = Image.new("RGB", image.size, "white")
            out.paste(rgba, mask=rgba.getchannel("A"))
            return out
        return image.convert("RGB")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "png"
    folder.mkdir(exist_ok=True)
    draw = random.Random(7)
    files = {}

    def add(name, colour, depth, extra=b"", most=None, **options):
        top = (1 << depth) - 1 if most is None else most
        pixels = [[tuple(draw.randint(0, top) for _ in range(CHANNELS[colour])) for _ in range(WIDTH)]
                  for _ in range(HEIGHT)]
        if colour in (GRAY_ALPHA, RGBA):  # wholly transparent and wholly opaque ones as well
            pixels[0] = [p[:-1] + (0,) for p in pixels[0]]
            pixels[1] = [p[:-1] + (top,) for p in pixels[1]]
        if "key" in options:
            key = options.pop("key")
            pixels[2][3] = pixels[4][5] = key
            extra += chunk(b"tRNS", b"".join(struct.pack(">H", v) for v in key))
        files[name] = depth, png(colour, depth, pixels, extra=extra, **options)

    palette = chunk(b"PLTE", bytes(draw.randint(0, 255) for _ in range(3 * 16)))
    for depth in (1, 2, 4, 8, 16):
        add(f"gray-{depth}", GRAY, depth)
    for depth in (8, 16):
        add(f"rgb-{depth}", RGB, depth)
        add(f"gray-alpha-{depth}", GRAY_ALPHA, depth)
        add(f"rgba-{depth}", RGBA, depth)
    for depth in (1, 2, 4, 8):
        add(f"palette-{depth}", PALETTE, depth, palette, most=min(15, (1 << depth) - 1))
    add("palette-alpha", PALETTE, 8, palette + chunk(b"tRNS", bytes([0, 255, 100, 3, 200])), most=15)
    add("gray-key-4", GRAY, 4, key=(6,))
    add("gray-key-8", GRAY, 8, key=(60,))
    add("gray-key-16", GRAY, 16, key=(6000,))
    add("rgb-key-8", RGB, 8, key=(6, 60, 160))
    add("gray-1-interlaced", GRAY, 1, interlaced=True)
    add("palette-4-interlaced", PALETTE, 4, palette, interlaced=True)
    add("rgb-8-interlaced", RGB, 8, interlaced=True)
    add("rgba-16-interlaced", RGBA, 16, interlaced=True)
    add("gamma", RGB, 8, chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"bKGD", bytes([0, 9, 0, 9, 0, 9])))
    for name, (depth, data) in files.items():
        file = folder / f"{name}.png"
        file.write_bytes(data)
        expected(file, depth).save(folder / f"{name}.ppm")


main()
