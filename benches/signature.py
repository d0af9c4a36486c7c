#!/usr/bin/env python3
"""What a C2PA signature that is made on the visitor's own device would prove.

usage: signature.py [PICTURE]

Makes a root and a certificate as a page could make them, signs PICTURE (a sample portrait unless told) as edited by a
model, and prints what a reader says of the signed file, and of the same with one byte changed. Needs c2pa-python,
Pillow, and the program openssl.
"""

import io
import json
import pathlib
import subprocess
import sys
import tempfile

import c2pa
from PIL import Image

SAMPLE = pathlib.Path(__file__).resolve().parents[1] / "weights/samples/01.webp"
JPEG = "image/jpeg"
EXTENSIONS = """
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, emailProtection
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
MANIFEST = {
    "claim_generator_info": [{"name": "SDIC"}],
    "title": "edited.jpg",
    "assertions": [
        {
            "label": "c2pa.actions",
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
                        "compositeWithTrainedAlgorithmicMedia",
                    }
                ]
            },
        }
    ],
}


def certificates(folder):
    """A chain and the key of its end, as PEM."""

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    (folder / "extensions").write_text(EXTENSIONS)
    for name in ("root", "leaf"):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}/O=Nobody", "-out", f"{name}.csr")
        signer = ["-signkey", "root.key"] if name == "root" else ["-CA", "root.pem", "-CAkey", "root.key"]
        extensions = ["-extfile", "extensions", "-extensions", name, "-days", "30", "-set_serial", "1"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signer, *extensions, "-out", f"{name}.pem")
    chain = (folder / "leaf.pem").read_bytes() + (folder / "root.pem").read_bytes()
    return chain, (folder / "leaf.key").read_bytes()


def said(data):
    """What a reader says of a file."""
    report = json.loads(c2pa.Reader(JPEG, io.BytesIO(data)).json())
    codes = sorted({status["code"] for status in report.get("validation_status", [])})
    return f"{report['validation_state']}: {', '.join(codes)}"


def main(picture=SAMPLE):
    plain, signed = io.BytesIO(), io.BytesIO()
    Image.open(picture).convert("RGB").save(plain, "JPEG", quality=92)
    with tempfile.TemporaryDirectory() as folder:
        chain, key = certificates(pathlib.Path(folder))
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None))
    c2pa.Builder(json.dumps(MANIFEST)).sign(signer, JPEG, io.BytesIO(plain.getvalue()), signed)
    data = bytearray(signed.getvalue())
    print(f"{len(data) - len(plain.getvalue())} bytes more")
    print(f"as signed: {said(bytes(data))}")
    data[-2000] ^= 1
    print(f"one byte changed: {said(bytes(data))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
