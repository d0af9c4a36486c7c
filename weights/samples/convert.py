#!/usr/bin/env python3
"""Cut the sample portraits from the pictures of openpeople: people who do not exist.

    pip download --no-deps openpeople==0.1.2
    python3 weights/samples/convert.py openpeople-0.1.2-py3-none-any.whl

Writes the pictures, `samples.json` (the list that goes into the manifest) and `LICENSE.txt` beside this file. The
pictures were chosen by looking: one clear face, nothing before it, no flaws of the image generator that catch the eye.
P003 was left out because she resembles somebody. Needs pillow.
"""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

from PIL import Image

SHA256 = "6faee04493aa7e3e913ba7bc720db90bb9e5f4b7e65eaaf74cd77f74c74e609f"
SIDE = 768
# High enough that hair and skin stay as sharp as they were; all of them together stay below 1.2 MB.
QUALITY = 87
STUDIO, SELFIE = "studio_portrait", "amateur_selfie"
# Person, picture, left, top and side of the square that is kept, and what the page calls it. Each square takes in
# the whole FFHQ frame of the face, by dlib's points, and as much of hair and shoulders as there is.
PICTURES = [
    ("P001", STUDIO, 0, 0, 2048, "Studio portrait, short curls"),
    ("P007", SELFIE, 265, 92, 1380, "Selfie at a café"),
    ("P009", STUDIO, 0, 0, 2048, "Studio portrait, long dark hair"),
    ("P005", SELFIE, 0, 293, 1696, "Selfie on a sunny path"),
    ("P002", STUDIO, 46, 7, 1937, "Studio portrait, dark curls"),
    ("P006", SELFIE, 67, 118, 1602, "Selfie in a park"),
    ("P008", STUDIO, 0, 0, 2048, "Studio portrait, long light hair"),
    ("P010", SELFIE, 0, 189, 1696, "Selfie on a walk"),
    ("P005", STUDIO, 117, 0, 1832, "Studio portrait, full beard"),
    ("P009", SELFIE, 0, 67, 1696, "Selfie on a sofa"),
    ("P007", STUDIO, 0, 0, 2048, "Studio portrait, full curls"),
    ("P008", SELFIE, 45, 118, 1490, "Selfie among plants"),
]
ATTRIBUTION = """\
The pictures in this folder show synthetic people, who do not exist. They were cut from pictures of openpeople 0.1.2 by
Prompt Haus (https://github.com/Prompt-Haus/OpenPeople), which were drawn by an image generator, Gemini 3 Pro.
Changes: convert.py cropped them to squares, brought them to {side} pixels a side and saved them as WebP.
openpeople comes under this licence:

"""


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    wheel, here = Path(sys.argv[1]).read_bytes(), Path(__file__).resolve().parent
    if hashlib.sha256(wheel).hexdigest() != SHA256:
        raise SystemExit(f"{sys.argv[1]} is not the file that the squares were chosen for")
    listed = []
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for number, (person, picture, left, top, side, label) in enumerate(PICTURES, 1):
            with archive.open(f"openpeople/data/curated/{person}/assets/{picture}.jpg") as file:
                photo = Image.open(file).convert("RGB")
            photo = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            photo.save(here / f"{number:02d}.webp", quality=QUALITY, method=6)
            listed.append({"file": f"samples/{number:02d}.webp", "label": label})
        licence = archive.read("openpeople-0.1.2.dist-info/licenses/LICENSE").decode("utf-8")
    lines = ",\n".join(f" {json.dumps(entry, ensure_ascii=False)}" for entry in listed)
    (here / "samples.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    (here / "LICENSE.txt").write_text(ATTRIBUTION.format(side=SIDE) + licence, encoding="utf-8")


if __name__ == "__main__":
    main()
