#!/usr/bin/env python3
"""Prints the figures of the README: `benches/table.py [start] [build] [polling]`, all by default.

start    `convox --version` of a release build beside `aws --version`, in turns, as a ratio
build    cold first command, cold release build, warm rebuild: CPU time, wall time, peak memory
polling  calls and lag of following a roll, in virtual time (cargo bench)

The first two take wall time, so run them on an idle machine. `build` works in a directory of
its own, which it removes; it takes half an hour.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 21


def wall(command):
    """Runs a command quietly and returns its wall time in seconds and its peak memory in MiB."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(child.pid, 0)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def start():
    convox = ROOT / "target/release/convox"
    if not convox.exists():
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    size = convox.stat().st_size / 2**20
    commands = {"convox": [convox, "--version"]}
    aws = os.environ.get("CONVOX_TEST_AWS_CLI") or shutil.which("aws")
    if aws:
        commands["aws"] = [aws, "--version"]
    taken = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            taken[name].append(wall(command))
    print(f"{'start':<28} {'median ms':>10} {'peak MiB':>9}")
    medians = {}
    for name, runs in taken.items():
        medians[name] = statistics.median(seconds for seconds, _ in runs)
        memory = statistics.median(memory for _, memory in runs)
        print(f"{name + ' --version':<28} {medians[name] * 1000:>10.1f} {memory:>9.1f}")
    if "aws" in medians:
        print(f"{'ratio':<28} {medians['aws'] / medians['convox']:>10.0f}")
    print(f"{'release binary':<28} {size:>6.1f} MiB\n")


def build():
    print(f"{'build':<28} {'CPU min':>8} {'wall min':>9} {'peak GiB of one process':>24}")
    with tempfile.TemporaryDirectory() as target:
        env = dict(os.environ, CARGO_TARGET_DIR=target)

        def step(name, command, prepare=lambda: None):
            prepare()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
            minutes = (time.perf_counter() - began) / 60
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            peak = after.ru_maxrss / 2**20
            print(f"{name:<28} {cpu / 60:>8.2f} {minutes:>9.2f} {peak:>24.1f}", flush=True)

        touched = ROOT / "src/roll/follow.rs"
        step("cargo build, cold", ["cargo", "build", "--locked"])
        step("cargo build, one file touched", ["cargo", "build", "--locked"], touched.touch)
        step("cargo test --no-run, after", ["cargo", "test", "--locked", "--no-run"])
        step("release, cold", ["cargo", "build", "--release", "--locked"])
    print()


def polling():
    command = ["cargo", "bench", "--locked", "--quiet", "--profile", "dev", "--bench", "polling"]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    known = {"start": start, "build": build, "polling": polling}
    wanted = sys.argv[1:] or list(known)
    if not set(wanted) <= set(known):
        sys.exit(__doc__)
    for name in wanted:
        known[name]()
