"""Runs the stages of the gpu budget until a deadline, on a machine that has only what carry.py packed.

Waits for all parts; shares what time is left among the stages; a stage that fails is tried again from its
checkpoint with half the batch. After every stage its averages lie in OUT in pieces, with a sheet of faces to look
at.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile
import time

from .. import arguments
from ..budgets import BUDGETS
from ..data.pack import pack
from ..recipe.start import start
from .pieces import split

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARES = {"autoencoder": 4.0, "dipn": 1.2, "compensation": 16.0}  # of the time, from a trained model
START = 0.55  # minutes a stage takes to begin and to end
LEAST = 0.05  # minutes that are worth a start


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


class Chain:
    """The stages, run one after another."""

    def __init__(self, args):
        self.args, self.work, self.out = args, args.work, args.out
        self.shares = {stage: share for stage, share in SHARES.items() if stage in args.stages}
        self.common = ["--budget", args.budget, "--index", args.work / "index.csv", "--work", args.work]
        self.env = os.environ | {"PYTHONPATH": f"{args.work / 'site'}:{ROOT}", "PYTHONUNBUFFERED": "1"}

    def run(self, module: str, *arguments) -> bool:
        command = [sys.executable, "-m", f"training.{module}", *map(str, arguments)]
        done = subprocess.run(command, env=self.env)
        log(f"{module} {'done' if done.returncode == 0 else f'FAILED, exit {done.returncode}'}")
        return done.returncode == 0

    def minutes(self, stage: str) -> float:
        """Of what is left, the stage's share."""
        waiting = list(self.shares)[list(self.shares).index(stage) :]
        left = (float(self.args.until.read_text()) - time.time()) / 60 - START * len(waiting)
        return left * self.shares[stage] / sum(self.shares[name] for name in waiting)

    def begin(self):
        """Where no autoencoder is trained, the model that was carried stands in for it."""
        if "autoencoder" not in self.shares:
            start(BUDGETS[self.args.budget].model, self.work / "start", self.work)

    def train(self, stage: str):
        begin = ["--from-weights", self.work / "start"] if stage == "autoencoder" else []
        batch = BUDGETS[self.args.budget].batch[stage]
        for pictures in (batch, batch // 2):
            minutes = self.minutes(stage)
            if minutes < LEAST:
                log(f"no time is left for {stage}")
                return
            log(f"{stage}: {minutes:.2f} minutes")
            options = ["--minutes", minutes, "--batch", pictures, *begin]
            if self.run(f"recipe.stages.{stage}", *self.common, *options):
                return

    def deliver(self, stage: str):
        """Pieces of what there is, and a sheet."""
        state = self.work / f"{stage}.pt"
        if not state.exists():
            return
        split(state, self.out / stage, ["average"])
        if stage == "compensation" and self.run("recipe.components", *self.common, "--state", state.name):
            split(self.work / "directions.pt", self.out / "directions", [])
        if stage != "dipn":
            self.run("measure.sheet", *self.common, "--state", state.name, "--out", self.out / f"{stage}.jpg")


def main():
    parser = arguments.parser(__doc__, "budget", "work", "out")
    parser.add_argument("--parts", type=pathlib.Path, required=True, help="folder where part-0.tar, ... arrive")
    parser.add_argument("--count", type=int, required=True, help="number of parts")
    until = "file with the deadline, in seconds since 1970; may change"
    parser.add_argument("--until", type=pathlib.Path, required=True, help=until)
    parser.add_argument("--stages", nargs="+", choices=SHARES, default=list(SHARES), help="leaves out the others")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    unpack(args.parts, args.count, args.work)
    start = time.monotonic()
    pack(args.work / "pictures", args.work / "index.csv", args.work / "faces.npy")
    log(f"pictures decoded in {time.monotonic() - start:.1f} s")
    chain = Chain(args)
    chain.begin()
    for stage in chain.shares:
        chain.train(stage)
        chain.deliver(stage)


if __name__ == "__main__":
    main()
