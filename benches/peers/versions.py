#!/usr/bin/env python3
"""Inversions and edits by two builds of this program, in turns on the same machine.

usage: versions.py BEFORE NOW WEIGHTS_DIR [WEIGHTS_DIR_OF_NOW] [--rounds N] [--gpu]

BEFORE and NOW are what `cargo bench --bench pipeline --no-run` builds of two commits. Where they do not read the same
weights directory, name one for each. Prints the first time of each job, medians and quartiles of the others, and the
median of the pairs' ratios.
"""

import argparse
import pathlib
import statistics
import subprocess

JOBS = ("invert", "edit")


class Build:
    def __init__(self, program, weights, flags):
        command = [program, str(weights), "--serve", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{program} does not serve {weights}")

    def seconds(self, job):
        self.process.stdin.write(job + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def shown(seconds):
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{middle:.3f} s ({low:.3f} to {high:.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("now", type=pathlib.Path)
    parser.add_argument("weights", type=pathlib.Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gpu", action="store_true")
    args = parser.parse_args()
    flags = ["--gpu"] if args.gpu else []
    before = Build(args.before, args.weights[0], flags)
    now = Build(args.now, args.weights[-1], flags)
    for job in JOBS:
        cold = [build.seconds(job) for build in (before, now)]
        pairs = [(before.seconds(job), now.seconds(job)) for _ in range(args.rounds)]
        ratio = statistics.median(old / new for old, new in pairs)
        print(f"{job}: first {cold[0]:.3f} s before, {cold[1]:.3f} s now")
        print(
            f"  before {shown([old for old, _ in pairs])}, now {shown([new for _, new in pairs])}: {ratio:.2f} times"
        )


if __name__ == "__main__":
    main()
