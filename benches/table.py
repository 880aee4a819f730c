#!/usr/bin/env python3
"""Prints the figures of the README: `benches/table.py [start] [demo] [build] [release] [polling] [revoking]`,
all by default.

start    `convox --version` of a release build beside `aws --version`, in turns, as a ratio
demo     `convox console serve --demo` until it says how to sign in
build    cold first command, warm rebuild, test programs: CPU time, wall time, peak memory
release  cold release build, likewise
polling  calls and lag of following a roll, in virtual time (cargo bench)
revoking shutting out a leaked key, with calls that take 300 ms (cargo bench)

All but `polling` take wall time, so run them on an idle machine. `build` takes ten minutes and
`release` half an hour, each in a directory of its own, which is removed.
"""
import math
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 21


def wall(command):
    """Runs a command quietly and returns its wall time in seconds."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def memory(command):
    """Runs a command and returns its peak memory in MiB, none without GNU time.

    A child of this program begins with this program's own peak, so a smaller one starts it.
    """
    gnu_time = shutil.which("time")
    if gnu_time is None:
        return math.nan
    timed = [gnu_time, "-f", "%M", *command]
    done = subprocess.run(timed, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1]) / 1024


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
        medians[name] = statistics.median(runs)
        peak = statistics.median(memory(commands[name]) for _ in range(5))
        print(f"{name + ' --version':<28} {medians[name] * 1000:>10.1f} {peak:>9.1f}")
    if "aws" in medians:
        print(f"{'ratio':<28} {medians['aws'] / medians['convox']:>10.0f}")
    print(f"{'release binary':<28} {size:>6.1f} MiB\n")


def demo():
    convox = ROOT / "target/release/convox"
    if not convox.exists():
        convox = ROOT / "target/debug/convox"
    spans = []
    for _ in range(RUNS):
        began = time.perf_counter()
        command = [convox, "console", "serve", "--demo", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
            while not serving.stderr.readline().startswith("Sign in at "):
                pass
            spans.append(time.perf_counter() - began)
            serving.send_signal(signal.SIGINT)
            serving.stderr.read()
    print(f"demo: {statistics.median(spans) * 1000:.0f} ms, at most {max(spans) * 1000:.0f}, "
          f"until it says how to sign in ({convox.parent.name} build)")


def timed(steps):
    """Runs (name, command) after (name, command) on one empty target directory, as a table."""
    print(f"{'build':<28} {'CPU min':>8} {'wall min':>9} {'peak GiB of one process':>24}")
    with tempfile.TemporaryDirectory() as target:
        env = dict(os.environ, CARGO_TARGET_DIR=target)
        for name, command in steps:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
            minutes = (time.perf_counter() - began) / 60
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            peak = after.ru_maxrss / 2**20
            print(f"{name:<28} {cpu / 60:>8.2f} {minutes:>9.2f} {peak:>24.1f}", flush=True)
    print()


def build():
    cargo = ["cargo", "build", "--locked"]
    touch = ["sh", "-c", 'touch src/roll/follow.rs && exec "$@"', "sh"]
    timed(
        [
            ("cargo build, cold", cargo),
            ("cargo build, one file touched", touch + cargo),
            ("cargo test --no-run, after", ["cargo", "test", "--locked", "--no-run"]),
        ]
    )


def release():
    timed([("cargo build --release, cold", ["cargo", "build", "--release", "--locked"])])


def bench(name):
    command = ["cargo", "bench", "--locked", "--quiet", "--profile", "dev", "--bench", name]
    subprocess.run(command, cwd=ROOT, check=True)


def polling():
    bench("polling")


def revoking():
    bench("revoking")


if __name__ == "__main__":
    known = {"start": start, "demo": demo, "build": build, "release": release}
    known |= {"polling": polling, "revoking": revoking}
    wanted = sys.argv[1:] or list(known)
    if not set(wanted) <= set(known):
        sys.exit(__doc__)
    for name in wanted:
        known[name]()
