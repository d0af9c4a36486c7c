"""Colour profiles made from their definition, and the numbers that they mean, in NumPy."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D65_XY, D50_XY = (0.3127, 0.3290), (0.3457, 0.3585)


def xyz(xy):
    """XYZ of a chromaticity, Y = 1."""
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_d50(primaries, white):
    """The matrix from linear RGB to XYZ, adapted to D50."""
    columns = np.stack([xyz(p) for p in primaries], axis=1)
    matrix = columns * np.linalg.solve(columns, xyz(white))
    cones = np.diag((BRADFORD @ D50) / (BRADFORD @ xyz(white)))
    return np.linalg.inv(BRADFORD) @ cones @ BRADFORD @ matrix


def srgb_decode(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_encode(v):
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * np.maximum(v, 1e-9) ** (1 / 2.4) - 0.055)


def power(gamma):
    return lambda v: np.maximum(v, 0) ** gamma


def s15(value):
    return struct.pack(">i", round(value * 65536))


def curve_gamma(gamma):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def curve_table(decode, count=1024):
    values = np.round(decode(np.linspace(0, 1, count)) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", count) + values.tobytes()


def curve_srgb():
    numbers = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]
    return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(map(s15, numbers))


def icc(space, tags, name, version=2):
    """An ICC profile of a display."""
    ascii_name = name.encode() + b"\0"
    if version == 4:
        text = b"mluc" + bytes(4) + struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, 2 * len(name), 28)
        text += name.encode("utf-16-be")
    else:
        text = b"desc" + bytes(4) + struct.pack(">I", len(ascii_name)) + ascii_name + bytes(78)
    white = b"XYZ " + bytes(4) + b"".join(map(s15, D50))
    tags = {b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": white, **tags}
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        body += bytes(-len(body) % 4)
        table += tag + struct.pack(">II", start + len(data), len(body))
        data += body
    header = struct.pack(">I4sI4s4s4s", start + len(data), bytes(4), version << 24, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + b"".join(map(s15, D50))
    header += bytes(128 - len(header))
    return header + struct.pack(">I", len(tags)) + table + data


class Space:
    """A space of three primaries, with its profile's bytes."""

    def __init__(self, name, primaries, white, decode, curve, version=2, padding=0):
        self.name, self.decode = name, decode
        self.matrix = to_d50(primaries, white)
        columns = {
            tag: b"XYZ " + bytes(4) + b"".join(map(s15, self.matrix[:, i]))
            for i, tag in enumerate([b"rXYZ", b"gXYZ", b"bXYZ"])
        }
        curves = {tag: curve for tag in [b"rTRC", b"gTRC", b"bTRC"]}
        extra = {b"pad0": b"text" + bytes(4) + bytes(padding)} if padding else {}
        self.icc = icc(b"RGB ", columns | curves | extra, name, version)


class Grey:
    """Lightness alone, with its profile's bytes."""

    def __init__(self, name, decode, curve):
        self.name, self.decode = name, decode
        self.icc = icc(b"GRAY", {b"kTRC": curve}, name)


REC709 = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
P3_PRIMARIES = [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)]
ADOBE = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
PROPHOTO = [(0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)]
REC2020 = [(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)]
NARROW = [(0.600, 0.340), (0.310, 0.560), (0.160, 0.090)]

SRGB = Space("Plain sRGB", REC709, D65_XY, srgb_decode, curve_srgb(), 4)
SRGB_TABLE = Space("sRGB by a table", REC709, D65_XY, srgb_decode, curve_table(srgb_decode))
P3 = Space("Display P3", P3_PRIMARIES, D65_XY, srgb_decode, curve_srgb(), 4)
P3_LONG = Space("Display P3, long", P3_PRIMARIES, D65_XY, srgb_decode, curve_srgb(), 4, 70_000)
ADOBE_RGB = Space("Compatible with Adobe RGB", ADOBE, D65_XY, power(563 / 256), curve_gamma(563 / 256))
PRO = Space("Wide as ProPhoto", PROPHOTO, D50_XY, power(1.8), curve_gamma(1.8))
BT2020 = Space("Wide as Rec. 2020", REC2020, D65_XY, power(2.2), curve_gamma(2.2))
NARROW_18 = Space("Narrow, gamma 1.8", NARROW, D65_XY, power(1.8), curve_gamma(1.8))
LINEAR = Space("Linear light", REC709, D65_XY, power(1.0), curve_gamma(1.0))
SWAPPED = Space("Swapped", [REC709[1], REC709[2], REC709[0]], D65_XY, srgb_decode, curve_srgb(), 4)
GREY_18 = Grey("Grey, gamma 1.8", power(1.8), curve_gamma(1.8))
GREY_22 = Grey("Grey, gamma 2.2", power(2.2), curve_gamma(2.2))


def convert(rgb, source, target):
    """Colours in [0, 1] from one space to another, clipped."""
    linear = source.decode(rgb) @ (np.linalg.inv(target.matrix) @ source.matrix).T
    return srgb_encode(np.clip(linear, 0, 1))
