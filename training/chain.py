#!/usr/bin/env python3
"""Runs the stages of the gpu budget until a deadline, on a machine that has only what carry.py packed.

Waits for all parts; shares what time is left among the stages; a stage that fails is tried again from its checkpoint with
half the batch. After every stage its averages lie in OUT in pieces, with a sheet of faces to look at.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SHARES = {"autoencoder": 8.0, "dipn": 1.3, "compensation": 10.0}  # of the time
START = 0.55  # minutes a stage takes to begin and to end


def log(text: str):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def unpack(parts: pathlib.Path, count: int, work: pathlib.Path):
    """Waits for the parts one by one and unpacks each."""
    for i in range(count):
        path = parts / f"part-{i}.tar"
        while not path.exists():
            time.sleep(0.2)
        with tarfile.open(path) as tar:
            tar.extractall(work / "pictures", filter="data")
        state = work / "pictures" / "state.tar.xz"
        if state.exists():
            with tarfile.open(state) as tar:
                tar.extractall(work, filter="data")
            state.unlink()
        log(f"{path.name} unpacked")


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--budget", default="gpu")
    args.add_argument("--parts", type=pathlib.Path, required=True, help="folder where part-0.tar, part-1.tar, ... arrive")
    args.add_argument("--count", type=int, required=True, help="number of parts")
    args.add_argument("--work", type=pathlib.Path, required=True)
    args.add_argument("--out", type=pathlib.Path, required=True)
    args.add_argument("--until", type=pathlib.Path, required=True, help="file with the deadline, in seconds since 1970; may change")
    args = args.parse_args()
    work, index = args.work, args.work / "index.csv"
    work.mkdir(parents=True, exist_ok=True)
    unpack(args.parts, args.count, work)
    env = os.environ | {"PYTHONPATH": f"{work / 'site'}", "PYTHONUNBUFFERED": "1"}

    def python(script: str, *arguments) -> bool:
        done = subprocess.run([sys.executable, str(HERE / script), *map(str, arguments)], env=env)
        log(f"{script} {'done' if done.returncode == 0 else f'FAILED, exit {done.returncode}'}")
        return done.returncode == 0

    start = time.monotonic()
    from pack import pack

    pack(work / "pictures", index, work / "faces.npy")
    log(f"pictures decoded in {time.monotonic() - start:.1f} s")
    stages = list(SHARES)
    for i, stage in enumerate(stages):
        batch = []
        for attempt in range(2):
            left = (float(args.until.read_text()) - time.time()) / 60 - START * (len(stages) - i)
            minutes = left * SHARES[stage] / sum(SHARES[name] for name in stages[i:])
            if minutes < 0.05:
                log(f"no time is left for {stage}")
                break
            log(f"{stage}: {minutes:.2f} minutes of {left:.2f}")
            begin = ["--from-weights", work / "start"] if stage == "autoencoder" else []
            common = ["--budget", args.budget, "--index", index, "--work", work]
            if python(f"{stage}.py", *common, "--minutes", minutes, *begin, *batch):
                break
            batch = ["--batch", 24]
        if (work / f"{stage}.pt").exists():
            python("pieces.py", "split", work / f"{stage}.pt", args.out / stage, "average")
        if stage == "compensation":
            python("directions.py", *common, "--state", "compensation.pt")
            python("pieces.py", "split", work / "directions.pt", args.out / "directions")
        if stage in ("autoencoder", "compensation"):
            python("sheet.py", *common, "--state", f"{stage}.pt", "--out", args.out / f"{stage}.jpg")


if __name__ == "__main__":
    main()
