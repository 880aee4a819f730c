"""Has wrk send requests to a server, and makes sure that what it counted were answers."""

import json
import os
import resource
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import HERE, wrk

CONNECTIONS = 16
# Far more than it takes to see every key once.
LONGEST = 3600


@dataclass
class Round:
    """What one run of wrk saw: requests a second, and milliseconds.

    `busy` is the part of the time that wrk itself was computing: near 1, it was wrk that was
    measured. `stolen` is the part of the processors' time that other machines on the same host
    took meanwhile.
    """

    rate: float
    p99: float
    busy: float
    stolen: float


def run(server, kind, order, seconds, is_read, begin=0):
    """Loads a server for some seconds. `is_read`: whether wrk looks into every answer."""
    path, item, body, expected = server.requests[kind]
    program, env = wrk()
    env = {
        **os.environ,
        **env,
        "BENCH_PATH": path,
        "BENCH_ROOT": server.root,
        "BENCH_BODY": body,
        "BENCH_ITEM": item,
        "BENCH_KEYS": str(server.keys),
        "BENCH_ORDER": order,
        "BENCH_FROM": str(begin),
        "BENCH_EXPECTED": expected if is_read else "",
    }
    # One thread, which leaves the other core to the server; `busy` tells whether it is enough.
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", HERE / "load.lua", f"http://127.0.0.1:{server.port}"]
    before = processors()
    told, errors = finished([str(word) for word in command], env)
    after = processors()
    if told is None or told["wrong"] or not told["requests"]:
        raise SystemExit(f"{server.name}, {kind}: wrong answers, or none: {told} {errors}")
    busy = told["cpu"] / told["seconds"]
    stolen = (after[0] - before[0]) / max(1, after[1] - before[1])
    return Round(told["requests"] / told["seconds"], told["p99"], busy, stolen), told


def finished(command, env):
    """Runs wrk to its end, or until it has sent all; returns its figures, if any, and its errors."""
    told = None
    before = cpu()
    with tempfile.TemporaryFile("w+") as errors:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=env, stdout=pipe, stderr=errors, text=True)
        for line in process.stdout:
            if line == "all\n":
                process.send_signal(signal.SIGINT)
            elif line.startswith('{"requests"'):
                told = json.loads(line)
        process.wait()
        if told is not None:
            told["cpu"] = cpu() - before
        errors.seek(0)
        return told, errors.read()


def processors():
    """Returns the time that was stolen from this machine's processors, and all of their time.

    Field 8 of the first line of /proc/stat is "stolen time, which is the time spent in other
    operating systems when running in a virtualized environment" (proc_stat(5)).
    """
    times = [int(time) for time in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return times[7], sum(times)


def cpu():
    """Returns the seconds that children of this program computed, once they have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def every_key(server):
    """Verifies each key once, and reads every answer; returns the rate."""
    return run(server, "verify", "all", LONGEST, is_read=True)[0].rate


def verify(server, seconds):
    """Verifies keys chosen at random.

    Reading answers would take wrk longer than sending, so only their number and their size are
    looked at: an answer that refuses a key has another size than one that lets it pass.
    """
    round, told = run(server, "verify", "random", seconds, is_read=False)
    size = told["bytes"] / told["requests"]
    status, text, expected = server.ask("verify", server.keys // 2)
    is_good = status == 200 and server.requests["verify"][3].encode() in text
    if not is_good or abs(size / expected - 1) > 0.04:
        raise SystemExit(f"{server.name}: answers of {size:.0f} bytes, not {expected}: {text!r}")
    return round


def reroll(server, seconds, begin):
    """Rerolls keys, each the one that the last reroll made, and reads every answer.

    `begin` is the number of a key from which on none was rerolled before.
    """
    return run(server, "reroll", "chain", seconds, is_read=True, begin=begin)[0]
