"""Writes the pictures that the command line and the page must read alike, and what Pillow and NumPy say is in them.

    python tests/photos/make.py

`files/` holds the inputs, `cases.json` what must come of each, and `expected.bin` the pixels: RGBA rows in the case's
colour space, 8 bits each. A case with `probes` names single pixels `[x, y, r, g, b, a]` of a picture too large to
keep; `pad` is a number of segments of 65,533 zeros to put behind the first two bytes.
"""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

import profiles as p

HERE = Path(__file__).parent
FILES = HERE / "files"
WIDTH, HEIGHT = 48, 32

cases, blocks, offsets = [], [], {}


# What is in the pictures.


def colours(width=WIDTH, height=HEIGHT):
    """A smooth picture without symmetry, RGB in [0, 1], far from black and white."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    red = 0.52 + 0.36 * np.sin(3 * x + 2 * y)
    green = 0.5 + 0.3 * np.cos(4 * y - x)
    blue = 0.5 + 0.3 * np.sin(2.5 * x - 3 * y + 1)
    return np.clip(np.stack([red, green, blue], axis=-1), 0.12, 0.95)


def opacity(width=WIDTH, height=HEIGHT):
    """From transparent on the left to opaque on the right, in [0, 1]."""
    x = (np.arange(width) + 0.5) / width
    return np.broadcast_to(np.clip(1.6 * x - 0.2, 0, 1), (height, width))


def byte(values):
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


RGB = byte(colours())


def patches(side):
    """Even patches, whose colours decoders of JPEG agree on: those of gradients they may round differently."""
    return byte(colours(WIDTH // side, HEIGHT // side)).repeat(side, axis=0).repeat(side, axis=1)


ALPHA = byte(opacity())
RGBA = np.dstack([RGB, ALPHA])
GREY = byte(colours()[..., 0])


def opaque(rgb):
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def as_grey(grey):
    return opaque(np.dstack([grey] * 3))


# Files.


def save(picture, kind, mode=None, **options):
    file = io.BytesIO()
    Image.fromarray(picture, mode).save(file, kind, **options)
    return file.getvalue()


def reread(data):
    """RGBA as Pillow decodes it."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGBA"))


def jpeg(picture=None, **options):
    if picture is None:
        picture = patches(8)
    return save(picture, "JPEG", **({"quality": 96, "subsampling": 0} | options))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, colour, depth=8, interlaced=False, extra=(), tail=()):
    """A PNG of the samples [height, width, channels], by the definition of the format, without any filter."""
    height, width, _ = samples.shape

    def rows(part):
        out = b""
        for row in part.reshape(part.shape[0], -1):
            if depth == 16:
                packed = row.astype(">u2").tobytes()
            else:
                bits = (row[:, None] >> np.arange(depth - 1, -1, -1)) & 1
                packed = np.packbits(bits.astype(np.uint8)).tobytes()
            out += b"\0" + packed
        return out

    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in passes]
    data = zlib.compress(b"".join(rows(part) for part in parts if part.size), 9)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    body = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", data), *tail, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def iccp(profile):
    return chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile))


def exif(orientation, order="<"):
    """A TIFF block that says which side is up, behind another entry."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + "HH", orientation, 0)
    entries = struct.pack(order + "HHI4s", 0x0100, 3, 1, struct.pack(order + "HH", 7, 0))
    entries += struct.pack(order + "HHI4s", 0x0112, 3, 1, value)
    return mark + struct.pack(order + "IH", 8, 2) + entries + bytes(4)


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(data, *segments):
    """A JPEG with segments behind its first two bytes."""
    return data[:2] + b"".join(segments) + data[2:]


def with_exif(data, orientation, order="<"):
    return with_segment(data, segment(0xE1, b"Exif\0\0" + exif(orientation, order)))


def turned_back(picture, orientation):
    """What has to be stored so that the picture comes out upright."""
    swap = [None, None, np.fliplr, lambda a: np.rot90(a, 2), np.flipud, lambda a: np.swapaxes(a, 0, 1),
            np.rot90, lambda a: np.swapaxes(np.rot90(a, 2), 0, 1), lambda a: np.rot90(a, 3)]
    return np.ascontiguousarray(swap[orientation](picture) if orientation > 1 else picture)


def scan_start(data):
    """Where the data behind the first start of scan begins."""
    at = data.index(b"\xff\xda")
    return at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]


# Cases.


def add(name, ending, data, **facts):
    FILES.joinpath(f"{name}.{ending}").write_bytes(data)
    cases.append({"name": name, "file": f"{name}.{ending}", **facts})


def right(name, ending, data, expected, space="srgb", notes=(), **facts):
    """A file that must come out as these RGBA pixels."""
    height, width, _ = expected.shape
    raw = np.ascontiguousarray(expected).tobytes()
    if raw not in offsets:
        offsets[raw] = sum(map(len, blocks))
        blocks.append(raw)
    size = {"width": width, "height": height}
    add(name, ending, data, **size, space=space, notes=sorted(notes), at=offsets[raw], **facts)


def wrong(name, ending, data, error, **facts):
    add(name, ending, data, error=error, **facts)


def profiled(rgba, source, target):
    """RGBA bytes in the colours of another space."""
    colour = p.convert(rgba[..., :3] / 255, source, target)
    return np.dstack([byte(colour), rgba[..., 3]])


def orientations():
    asymmetric = RGB
    for orientation in range(1, 9):
        stored = turned_back(asymmetric, orientation)
        data = jpeg(turned_back(patches(8), orientation))
        upright = reread(data)
        upright = turned_back(upright, {6: 8, 8: 6}.get(orientation, orientation))
        order = "<" if orientation % 2 else ">"
        right(f"jpeg-orientation-{orientation}", "jpg", with_exif(data, orientation, order), upright)
        block = chunk(b"eXIf", exif(orientation, order))
        right(f"png-orientation-{orientation}", "png", png(stored, 2, extra=[block]), opaque(asymmetric))
        data = save(stored, "WEBP", lossless=True, exif=exif(orientation, order))
        right(f"webp-orientation-{orientation}", "webp", data, opaque(asymmetric))
    stored = turned_back(asymmetric, 6)
    late = png(stored, 2, tail=[chunk(b"eXIf", exif(6))])
    right("png-orientation-behind-the-pixels", "png", late, opaque(asymmetric))
    data = save(stored, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(6))
    right("webp-orientation-with-a-jpegs-prefix", "webp", data, opaque(asymmetric))
    alpha = turned_back(RGBA, 8)
    right("png-orientation-with-alpha", "png", png(alpha, 6, extra=[chunk(b"eXIf", exif(8))]), RGBA)
    for value in (0, 9):
        right(f"jpeg-orientation-{value}-means-nothing", "jpg", with_exif(jpeg(), value), reread(jpeg()))


def jpegs():
    for name, subsampling in [("420", 2), ("422", 1), ("444", 0)]:
        for kind in (False, True):
            data = jpeg(patches(16), subsampling=subsampling, progressive=kind, quality=98)
            right(f"jpeg-{name}-{'progressive' if kind else 'plain'}", "jpg", data, reread(data))
    data = jpeg(optimize=True)
    right("jpeg-optimized", "jpg", data, reread(data))
    data = jpeg(restart_marker_blocks=3)
    right("jpeg-restart-markers", "jpg", data, reread(data))
    data = jpeg(progressive=True, restart_marker_blocks=4)
    right("jpeg-progressive-restart-markers", "jpg", data, reread(data))
    data = jpeg(GREY, subsampling=-1)
    right("jpeg-grey", "jpg", data, reread(data))
    data = jpeg(GREY, subsampling=-1, progressive=True)
    right("jpeg-grey-progressive", "jpg", data, reread(data))
    # Grain in the best quality: of some blocks, more corrections stand together than a reader has bits at hand.
    grain = byte(0.5 + 0.04 * np.random.default_rng(2).normal(size=(HEIGHT, WIDTH)))
    data = jpeg(grain, subsampling=-1, progressive=True, quality=100)
    right("jpeg-grain-progressive", "jpg", data, reread(data))
    data = jpeg(keep_rgb=True)
    right("jpeg-rgb-components", "jpg", data, reread(data))
    data = jpeg(np.pad(patches(16), ((0, 5), (0, 5), (0, 0)), "edge"), subsampling=2, quality=98)
    right("jpeg-odd-size", "jpg", data, reread(data))
    inks = np.array(Image.fromarray(RGB).convert("CMYK"))
    inks[..., 3] = 255 - byte(0.7 + 0.3 * colours()[..., 1])
    data = save(inks, "JPEG", "CMYK", quality=98, subsampling=0)
    right("jpeg-cmyk", "jpg", data, reread(data), notes=["inksConverted"])
    stored = 255 - inks
    ycc = np.array(Image.fromarray(255 - stored[..., :3]).convert("YCbCr"))
    data = save(255 - np.dstack([ycc, stored[..., 3]]), "JPEG", "CMYK", quality=98, subsampling=0)
    at = data.index(b"Adobe") + 11
    data = data[:at] + b"\2" + data[at + 1 :]
    right("jpeg-ycck", "jpg", data, reread(data), notes=["inksConverted"])
    # Bytes that decoders step over.
    data = jpeg()
    right("jpeg-more-behind-its-end", "jpg", data + b"a preview or a film" * 9, reread(data))
    right("jpeg-without-end-marker", "jpg", data[:-2], reread(data))
    fill = data.index(b"\xff\xdb")
    right("jpeg-fill-bytes", "jpg", data[:fill] + b"\xff\xff\xff" + data[fill:], reread(data))
    thumbnail = jpeg(byte(colours(16, 16)))
    nested = with_segment(data, segment(0xE1, b"Exif\0\0" + exif(1) + thumbnail))
    right("jpeg-thumbnail-inside", "jpg", nested, reread(data))
    # Ultra HDR: a base picture, and a gain map behind it.
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    xmp += b' hdrgm:Version="1.0"/>'
    ultra = with_segment(data, segment(0xE1, xmp)) + jpeg(GREY, subsampling=-1)
    right("jpeg-ultra-hdr", "jpg", ultra, reread(data), notes=["gainMapDropped"])
    iso = with_segment(data, segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))) + jpeg(GREY, subsampling=-1)
    right("jpeg-iso-gain-map", "jpg", iso, reread(data), notes=["gainMapDropped"])


def pngs():
    for interlaced in (False, True):
        end = "-interlaced" if interlaced else ""
        for depth in (1, 2, 4, 8):
            top = 2**depth - 1
            grey = np.round(colours()[..., 0] * top).astype(int)
            expected = as_grey(np.round(grey * 255 / top).astype(np.uint8))
            right(f"png-grey-{depth}{end}", "png", png(grey[..., None], 0, depth, interlaced), expected)
        right(f"png-rgb-8{end}", "png", png(RGB, 2, 8, interlaced), opaque(RGB))
        right(f"png-rgba-8{end}", "png", png(RGBA, 6, 8, interlaced), RGBA)
        both = np.dstack([GREY, ALPHA])
        grey = np.dstack([GREY, GREY, GREY, ALPHA])
        right(f"png-grey-alpha-8{end}", "png", png(both, 4, 8, interlaced), grey)
        deep = np.round(colours() * 65535).astype(int)
        note = ["depthReduced"]
        right(f"png-rgb-16{end}", "png", png(deep, 2, 16, interlaced), opaque(byte(colours())), notes=note)
        right(f"png-grey-16{end}", "png", png(deep[..., :1], 0, 16, interlaced), as_grey(GREY), notes=note)
        deep = np.dstack([deep, np.round(opacity() * 65535).astype(int)])
        right(f"png-rgba-16{end}", "png", png(deep, 6, 16, interlaced), RGBA, notes=note)
        deep = deep[..., [0, 3]]
        right(f"png-grey-alpha-16{end}", "png", png(deep, 4, 16, interlaced), grey, notes=note)
    for depth in (1, 2, 4, 8):
        count = 2**depth
        index = np.minimum((colours()[..., 0] * count).astype(int), count - 1)
        table = byte(colours(count, 1))[0]
        plte = chunk(b"PLTE", table.tobytes())
        right(f"png-palette-{depth}", "png", png(index[..., None], 3, depth, extra=[plte]), opaque(table[index]))
        clear = byte(opacity(count, 1))[0]
        data = png(index[..., None], 3, depth, extra=[plte, chunk(b"tRNS", clear.tobytes())])
        right(f"png-palette-{depth}-transparent", "png", data, np.dstack([table[index], clear[index]]))
    key = RGB[5, 7]
    hidden = np.where((RGB == key).all(axis=-1), 0, 255).astype(np.uint8)
    data = png(RGB, 2, extra=[chunk(b"tRNS", struct.pack(">HHH", *key.tolist()))])
    right("png-rgb-transparent-colour", "png", data, np.dstack([RGB, hidden]))
    data = png(GREY[..., None], 0, extra=[chunk(b"tRNS", struct.pack(">H", int(GREY[5, 7])))])
    hidden = np.where(GREY == GREY[5, 7], 0, 255).astype(np.uint8)
    right("png-grey-transparent-level", "png", data, np.dstack([GREY, GREY, GREY, hidden]))
    ends = png(RGB, 2)
    right("png-more-behind-its-end", "png", ends + b"more" * 20, opaque(RGB))


def webps():
    right("webp-lossless", "webp", save(RGB, "WEBP", lossless=True), opaque(RGB))
    data = save(RGBA, "WEBP", lossless=True, exact=True)
    right("webp-lossless-alpha", "webp", data, RGBA)
    data = save(RGB, "WEBP", quality=98, method=6)
    right("webp-lossy", "webp", data, reread(data))
    data = save(RGBA, "WEBP", quality=98, method=6, exact=True)
    right("webp-lossy-alpha", "webp", data, reread(data))


def moving():
    frames = [Image.fromarray(RGB), Image.fromarray(np.ascontiguousarray(RGB[::-1]))]
    note = ["firstFrame"]
    for name, kind, ending, options in [
        ("png-animated", "PNG", "png", {}),
        ("webp-animated", "WEBP", "webp", {"lossless": True}),
    ]:
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100, loop=0, **options)
        right(name, ending, file.getvalue(), opaque(RGB), notes=note)
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:], default_image=True, duration=100)
    right("png-animated-picture-beside", "png", file.getvalue(), opaque(RGB), notes=note)
    file = io.BytesIO()
    clear = [Image.fromarray(RGBA), Image.fromarray(np.ascontiguousarray(RGBA[::-1]))]
    clear[0].save(file, "WEBP", save_all=True, append_images=clear[1:], duration=100, lossless=True, exact=True)
    right("webp-animated-alpha", "webp", file.getvalue(), RGBA, notes=note)
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    right("gif-animated", "gif", file.getvalue(), reread(file.getvalue()), notes=note, only="page")


def spaces():
    """Profiles in every container, wide ones kept as Display P3, others brought to sRGB."""
    kinds = [
        ("srgb", p.SRGB, "srgb", []),
        ("srgb-table", p.SRGB_TABLE, "srgb", []),
        ("p3", p.P3, "display-p3", []),
        ("adobe", p.ADOBE_RGB, "display-p3", ["profileConverted"]),
        ("prophoto", p.PRO, "display-p3", ["profileConverted"]),
        ("rec2020", p.BT2020, "display-p3", ["profileConverted"]),
        ("narrow", p.NARROW_18, "srgb", ["profileConverted"]),
        ("linear", p.LINEAR, "srgb", ["profileConverted"]),
        ("swapped", p.SWAPPED, "srgb", ["profileConverted"]),
    ]
    for name, source, space, notes in kinds:
        target = p.P3 if space == "display-p3" else p.SRGB
        exact = not notes
        expect = lambda rgba: rgba if exact else profiled(rgba, source, target)  # noqa: E731
        data = jpeg(icc_profile=source.icc)
        right(f"jpeg-{name}", "jpg", data, expect(reread(data)), space, notes)
        data = png(RGBA, 6, extra=[iccp(source.icc)])
        right(f"png-{name}", "png", data, expect(RGBA), space, notes)
        data = save(RGB, "WEBP", lossless=True, icc_profile=source.icc)
        right(f"webp-{name}", "webp", data, expect(opaque(RGB)), space, notes)
    data = jpeg(icc_profile=p.P3_LONG.icc)
    right("jpeg-profile-in-two-segments", "jpg", data, reread(data), "display-p3")
    data = with_exif(jpeg(turned_back(patches(8), 6), icc_profile=p.ADOBE_RGB.icc), 6)
    upright = turned_back(reread(data), 8)
    upright = profiled(upright, p.ADOBE_RGB, p.P3)
    right("jpeg-adobe-sideways", "jpg", data, upright, "display-p3", ["profileConverted"])
    # Away from the rim of the gamut: browsers cut 16 bits down to 8 before they convert.
    pale = 0.3 + 0.6 * colours()
    data = png(np.round(pale * 65535).astype(int), 2, 16, extra=[iccp(p.ADOBE_RGB.icc)])
    wide = opaque(byte(p.convert(pale, p.ADOBE_RGB, p.P3)))
    right("png-adobe-16", "png", data, wide, "display-p3", ["depthReduced", "profileConverted"])
    index = np.minimum((colours()[..., 0] * 256).astype(int), 255)
    table = byte(colours(256, 1))[0]
    data = png(index[..., None], 3, extra=[iccp(p.ADOBE_RGB.icc), chunk(b"PLTE", table.tobytes())])
    wide = profiled(opaque(table[index]), p.ADOBE_RGB, p.P3)
    right("png-adobe-palette", "png", data, wide, "display-p3", ["profileConverted"])
    for name, grey in [("18", p.GREY_18), ("22", p.GREY_22)]:
        light = byte(p.srgb_encode(grey.decode(GREY / 255)))
        data = png(GREY[..., None], 0, extra=[iccp(grey.icc)])
        right(f"png-grey-profile-{name}", "png", data, as_grey(light), notes=["profileConverted"])
        data = jpeg(GREY, subsampling=-1, icc_profile=grey.icc)
        decoded = reread(data)[..., 0]
        light = byte(p.srgb_encode(grey.decode(decoded / 255)))
        right(f"jpeg-grey-profile-{name}", "jpg", data, as_grey(light), notes=["profileConverted"])
    data = jpeg(icc_profile=b"no profile at all" * 20)
    right("jpeg-damaged-profile", "jpg", data, reread(data), notes=["profileUnreadable"])
    data = png(RGB, 2, extra=[iccp(p.P3.icc[:200])])
    right("png-damaged-profile", "png", data, opaque(RGB), notes=["profileUnreadable"])
    # The chunks of PNG that stand for profiles.
    right("png-srgb-chunk", "png", png(RGB, 2, extra=[chunk(b"sRGB", b"\0")]), opaque(RGB))
    chrm = chunk(b"cHRM", struct.pack(">8I", *[round(v * 1e5) for xy in [p.D65_XY, *p.ADOBE] for v in xy]))
    gama = chunk(b"gAMA", struct.pack(">I", round(1e5 * 256 / 563)))
    wide = profiled(opaque(RGB), p.ADOBE_RGB, p.P3)
    data = png(RGB, 2, extra=[gama, chrm])
    right("png-gama-chrm", "png", data, wide, "display-p3", ["profileConverted"])
    data = png(RGB, 2, extra=[gama, chrm, chunk(b"sRGB", b"\0")])
    right("png-srgb-chunk-beats-gama", "png", data, opaque(RGB))
    data = png(RGB, 2, extra=[chunk(b"gAMA", struct.pack(">I", 100_000))])
    light = opaque(byte(p.srgb_encode(RGB / 255)))
    right("png-gama-linear", "png", data, light, notes=["profileConverted"])
    usual = chunk(b"gAMA", struct.pack(">I", 45_455))
    right("png-gama-usual", "png", png(RGB, 2, extra=[usual]), opaque(RGB))
    of_srgb = chunk(b"cHRM", struct.pack(">8I", *[round(v * 1e5) for xy in [p.D65_XY, *p.REC709] for v in xy]))
    power = p.Space("2.2", p.REC709, p.D65_XY, p.power(1 / 0.45455), b"")
    light = profiled(opaque(RGB), power, p.SRGB)
    right("png-gama-chrm-usual", "png", png(RGB, 2, extra=[usual, of_srgb]), light, notes=["profileConverted"])
    data = png(RGB, 2, extra=[chunk(b"cICP", bytes([12, 13, 0, 1]))])
    right("png-cicp-p3", "png", data, opaque(RGB), "display-p3")
    data = png(RGB, 2, extra=[chunk(b"cICP", bytes([1, 13, 0, 1])), iccp(p.ADOBE_RGB.icc)])
    right("png-cicp-beats-profile", "png", data, opaque(RGB))


def browser_only():
    data = save(RGB, "GIF")
    right("gif", "gif", data, reread(data), only="page")
    clear = Image.fromarray(GREY, "L").convert("P")
    file = io.BytesIO()
    clear.save(file, "GIF", transparency=int(GREY[5, 7]))
    right("gif-transparent", "gif", file.getvalue(), reread(file.getvalue()), only="page")
    right("bmp", "bmp", save(RGB, "BMP"), opaque(RGB), only="page")
    rows = np.ascontiguousarray(RGB[::-1, :, ::-1]).tobytes()
    os2 = b"BM" + struct.pack("<IHHI", 26 + len(rows), 0, 0, 26) + struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    right("bmp-os2", "bmp", os2 + rows, opaque(RGB), only="page")
    upside = struct.pack("<IiiHHIIiiII", 40, WIDTH, -HEIGHT, 1, 24, 0, 0, 0, 0, 0, 0)
    down = np.ascontiguousarray(RGB[:, :, ::-1]).tobytes()
    data = b"BM" + struct.pack("<IHHI", 54 + len(down), 0, 0, 54) + upside + down
    right("bmp-top-down", "bmp", data, opaque(RGB), only="page")
    data = save(RGB, "AVIF", quality=97, subsampling="4:4:4")
    right("avif", "avif", data, reread(data), only="page")
    data = save(RGBA, "AVIF", quality=97, subsampling="4:4:4")
    right("avif-alpha", "avif", data, reread(data), only="page")
    data = save(turned_back(RGB, 6), "AVIF", quality=97, subsampling="4:4:4", exif=exif(6))
    right("avif-orientation-6", "avif", data, turned_back(reread_stored(data), 8), only="page")
    data = save(RGB, "AVIF", quality=97, subsampling="4:4:4", icc_profile=p.P3.icc)
    right("avif-p3", "avif", data, reread(data), "display-p3", only="page")


def reread_stored(data):
    """As Pillow decodes it, before any turning."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGBA"))


def damaged():
    noisy = np.random.default_rng(1).integers(0, 30, (96, 144, 3))
    busy = byte(colours(144, 96) * 0.85) + noisy.astype(np.uint8)
    kinds = {
        "jpeg": jpeg(busy, quality=85, subsampling=2),
        "jpeg-optimized": jpeg(busy, quality=85, optimize=True),
        "jpeg-progressive": jpeg(busy, quality=85, subsampling=2, progressive=True),
        "jpeg-restarts": jpeg(busy, quality=85, restart_marker_rows=1),
    }
    for name, data in kinds.items():
        share = lambda part: int(len(data) * part)  # noqa: B023, E731
        wrong(f"{name}-cut-at-60", "jpg", data[: share(0.6)], "damaged")
        wrong(f"{name}-tail-zeroed", "jpg", data[: share(0.6)] + bytes(len(data) - share(0.6)), "damaged")
        wrong(f"{name}-cut-but-ended", "jpg", data[: share(0.6)] + b"\xff\xd9", "damaged")
        zeroed = data[: share(0.5)] + bytes(400) + data[share(0.5) + 400 :]
        wrong(f"{name}-zeroed-in-the-middle", "jpg", zeroed, "damaged")
    data = kinds["jpeg"]
    scan = scan_start(data)
    stray = data[:scan] + b"\xff\xd9" + data[scan:]
    wrong("jpeg-ended-at-once", "jpg", stray, "damaged")
    flipped = bytearray(kinds["jpeg-restarts"])
    mark = next(i for i in range(scan, len(flipped)) if flipped[i] == 0xFF and 0xD0 <= flipped[i + 1] <= 0xD7)
    del flipped[mark : mark + 2]
    wrong("jpeg-restart-missing", "jpg", bytes(flipped), "damaged")
    wrong("jpeg-cut-near-its-end", "jpg", data[:-40], "damaged")
    wrong("jpeg-cut-in-the-header", "jpg", data[:300], "damaged")
    wrong("jpeg-no-scan", "jpg", data[: data.index(b"\xff\xda")] + b"\xff\xd9", "damaged")
    busy = busy[:40, :60]
    data = png(busy, 2)
    wrong("png-cut-at-60", "png", data[: int(len(data) * 0.6)], "damaged")
    wrong("png-without-end-chunk", "png", data[:-12], "damaged")
    wrong("png-tail-zeroed", "png", data[: int(len(data) * 0.6)] + bytes(int(len(data) * 0.4)), "damaged")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0x10
    wrong("png-bit-flipped", "png", bytes(flipped), "damaged")
    short = zlib.compress(b"".join(b"\0" + row.tobytes() for row in busy[:20]))
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 8, 2, 0, 0, 0)) + chunk(b"IDAT", short)
    wrong("png-too-few-rows", "png", b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""), "damaged")
    for name, data in [("lossy", save(busy, "WEBP")), ("lossless", save(busy, "WEBP", lossless=True))]:
        wrong(f"webp-{name}-cut-at-60", "webp", data[: int(len(data) * 0.6)], "damaged")
    data = save(busy, "GIF")
    wrong("gif-cut-at-60", "gif", data[: int(len(data) * 0.6)], "damaged", only="page")
    data = save(busy, "BMP")
    wrong("bmp-cut-at-60", "bmp", data[: int(len(data) * 0.6)], "damaged", only="page")
    data = save(busy, "AVIF")
    wrong("avif-cut-at-60", "avif", data[: int(len(data) * 0.6)], "damaged", only="page")


def not_read():
    sof = jpeg().index(b"\xff\xc0") + 1
    for name, marker in [("arithmetic", 0xC9), ("lossless", 0xC3), ("arithmetic-progressive", 0xCA)]:
        data = bytearray(jpeg())
        data[sof] = marker
        if marker > 0xC8:
            data[2:2] = segment(0xCC, b"\0\x10")
        # Some browsers read these, and would take the data for what they are not.
        wrong(f"jpeg-{name}", "jpg", bytes(data), "unsupported", only="cli")
    data = bytearray(jpeg())
    data[sof] = 0xC1
    data[sof + 3] = 12
    wrong("jpeg-12-bit", "jpg", bytes(data), "unsupported")
    # Browsers map these to what a screen can show.
    hdr = png(np.round(colours() * 65535).astype(int), 2, 16, extra=[chunk(b"cICP", bytes([9, 16, 0, 1]))])
    wrong("png-pq", "png", hdr, "unsupported", only="cli")
    ftyp = lambda brand: struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1" + brand  # noqa: E731
    wrong("heic", "heic", ftyp(b"heic") + bytes(200), "unsupported")
    wrong("canon", "cr3", struct.pack(">I4s4sI4s", 20, b"ftyp", b"crx ", 1, b"crx ") + bytes(200), "unsupported")
    wrong("jpeg-xl", "jxl", b"\xff\x0a" + bytes(60), "unsupported")
    box = struct.pack(">I4s4s", 12, b"JXL ", b"\r\n\x87\n")
    wrong("jpeg-xl-box", "jxl", box + struct.pack(">I4s4sI", 16, b"ftyp", b"jxl ", 0) + bytes(60), "unsupported")
    wrong("jpeg-2000", "jp2", save(RGB, "JPEG2000"), "unsupported")
    wrong("jpeg-2000-codestream", "j2k", save(RGB, "JPEG2000", no_jp2=True), "unsupported")
    wrong("tiff", "tif", save(RGB, "TIFF"), "unsupported")
    wrong("photoshop", "psd", b"8BPS\0\1" + bytes(60), "unsupported")
    wrong("fujifilm", "raf", b"FUJIFILMCCD-RAW 0201" + bytes(60), "unsupported")
    for name, ending, data in [
        ("empty", "jpg", b""),
        ("text", "jpg", b"remember the milk\n"),
        ("pdf-called-jpeg", "jpg", b"%PDF-1.7\n%%EOF\n"),
        ("drawing", "svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("film", "mp4", struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 1, b"mp42") + bytes(60)),
        ("film-webm", "webm", b"\x1a\x45\xdf\xa3" + bytes(60)),
        ("unknown-box", "bin", struct.pack(">I4s4sI4s", 20, b"ftyp", b"zzzz", 1, b"zzzz") + bytes(60)),
        ("web-page", "jpg", b"<!DOCTYPE html><html><body>404</body></html>"),
        ("zip", "jpg", b"PK\3\4" + bytes(60)),
    ]:
        wrong(name, ending, data, "not-a-picture")


def sizes():
    """Large pictures that compress well. Only probes of them are kept."""
    note = ["reduced"]

    def ramp(length):
        return np.round(40 + 175 * (np.arange(length) + 0.5) / length)

    def probes(width, height, value):
        spots = [(x, y) for x in (3, width // 3, width // 2, width - 5) for y in (2, height // 2, height - 4)]
        return [[x, y, *[round(float(value((x + 0.5) / width, (y + 0.5) / height)))] * 3, 255] for x, y in spots]

    def scaled(width, height):
        scale = min(1, (24e6 / (width * height)) ** 0.5, 16384 / max(width, height))
        return int(width * scale), int(height * scale)

    def large(name, ending, data, upright, value):
        width, height = scaled(*upright)
        facts = {"width": width, "height": height, "space": "srgb", "original": list(upright)}
        notes = note if (width, height) != tuple(upright) else []
        add(name, ending, data, **facts, notes=notes, probes=probes(width, height, value))

    def grey_png(width, height, extra=()):
        # The same row again and again, so that "as above" compresses to next to nothing.
        row = ramp(width).astype(np.uint8).tobytes()
        packer = zlib.compressobj(9)
        data = packer.compress(b"\0" + row)
        for _ in range(height - 1):
            data += packer.compress(b"\2" + bytes(width))
        data += packer.flush()
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        body = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", data), chunk(b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(body)

    across = lambda u, v: 40 + 175 * u  # noqa: E731
    down = lambda u, v: 40 + 175 * v  # noqa: E731
    large("panorama-2000x13000", "png", grey_png(2000, 13_000), (2000, 13_000), across)
    large("panorama-20000x600", "png", grey_png(20_000, 600), (20_000, 600), across)
    large("48-megapixels", "png", grey_png(8000, 6000), (8000, 6000), across)
    sideways = grey_png(8000, 6000, [chunk(b"eXIf", exif(6))])
    large("48-megapixels-sideways", "png", sideways, (6000, 8000), down)
    rows = np.repeat(ramp(6000).astype(np.uint8)[:, None], 8000, axis=1)
    data = with_exif(jpeg(rows, subsampling=-1, progressive=True, quality=60), 8)
    large("48-megapixels-jpeg-sideways", "jpg", data, (6000, 8000), across)
    bomb = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(99_999))) + chunk(b"IEND", b"")
    wrong("900-megapixels", "png", b"\x89PNG\r\n\x1a\n" + bomb + body, "too-large")
    head = bytearray(jpeg(GREY, subsampling=-1))
    at = head.index(b"\xff\xc0")
    head[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    wrong("4-gigapixels", "jpg", bytes(head), "too-large")
    wrong("4-gigapixels-behind-2-megabytes", "jpg", bytes(head), "too-large", pad=30)
    data = jpeg()
    right("jpeg-behind-2-megabytes", "jpg", data, reread(data), pad=30)
    lying = save(RGB, "WEBP", lossless=True)
    vp8l = bytearray(lying)
    vp8l[21:25] = struct.pack("<I", (16_383 | 16_383 << 14))
    wrong("webp-268-megapixels", "webp", bytes(vp8l), "too-large")
    os2 = b"BM" + struct.pack("<IHHI", 26, 0, 0, 26) + struct.pack("<IHHHH", 12, 60_000, 60_000, 1, 24)
    wrong("bmp-os2-3-gigapixels", "bmp", os2 + bytes(100), "too-large", only="page")


def main():
    FILES.mkdir(exist_ok=True)
    for old in FILES.iterdir():
        old.unlink()
    for part in (orientations, jpegs, pngs, webps, moving, spaces, browser_only, damaged, not_read, sizes):
        part()
    HERE.joinpath("expected.bin").write_bytes(b"".join(blocks))
    lines = ",\n".join(json.dumps(case) for case in cases)
    HERE.joinpath("cases.json").write_text(f"[\n{lines}\n]\n")
    total = sum(file.stat().st_size for file in FILES.iterdir()) + sum(map(len, blocks))
    print(f"{len(cases)} cases, {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
