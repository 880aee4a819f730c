"""Gets what the figures need: our two programs, better-auth, wrk, and SQL in PostgreSQL."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUTSIDE = Path(os.environ.get("CONVOX_OUTSIDE_DIR", ROOT / "target/outside"))
MODULES = OUTSIDE / "better-auth"

# All of one release, which the plugin is pinned to as well.
PACKAGES = [
    "better-auth@1.7.5",
    "@better-auth/api-key@1.7.5",
    "@better-auth/core@1.7.5",
    "better-sqlite3@12.9.0",
    "pg@8.23.1",
]


def say(text):
    """Tells a person how far it is."""
    print(f"keys: {text}", file=sys.stderr, flush=True)


def build():
    """Builds the server and the bare handler alike, and returns the paths of both."""
    say("building (cargo build --profile bench)")
    command = ["cargo", "build", "--locked", "--profile", "bench", "--bin", "convox"]
    command += ["--bench", "bare", "--message-format", "json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    programs = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            programs[message["target"]["name"]] = message["executable"]
    return programs["convox"], programs["bare"]


def better_auth():
    """Installs better-auth and its drivers from npm, unless they are there."""
    note = MODULES / "installed"
    wanted = "\n".join(PACKAGES)
    if note.exists() and note.read_text() == wanted:
        return
    if shutil.which("npm") is None:
        sys.exit("keys: better-auth is installed with npm, which is not here")
    say(f"installing {', '.join(PACKAGES)}")
    shutil.rmtree(MODULES, ignore_errors=True)
    MODULES.mkdir(parents=True)
    (MODULES / "package.json").write_text('{"private": true}\n')
    # better-sqlite3 is compiled here where npm finds no program of it for this machine.
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", *PACKAGES]
    subprocess.run(command, cwd=MODULES, check=True, stdout=sys.stderr)
    note.write_text(wanted)


def wrk():
    """Returns the path of wrk and what it needs of the environment; Debian's where there is none."""
    installed = shutil.which("wrk")
    if installed:
        return installed, {}
    place = OUTSIDE / "wrk"
    program = place / "unpacked/usr/bin/wrk"
    if not program.exists():
        say("unpacking wrk")
        place.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # A new machine may not know yet what there is.
            subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=sys.stderr)
        needed = ["wrk", "libluajit-5.1-2", "libluajit-5.1-common"]
        subprocess.run(["apt-get", "download", "-qq", *needed], cwd=place, check=True)
        for package in place.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, place / "unpacked"], check=True)
    libraries = place / f"unpacked/usr/lib/{os.uname().machine}-linux-gnu"
    return str(program), {"LD_LIBRARY_PATH": str(libraries)}


def query(url, sql):
    """Runs SQL in PostgreSQL and returns the rows of its last statement."""
    env = dict(os.environ, BENCH_MODULES=str(MODULES))
    command = ["node", HERE / "query.mjs", url]
    done = subprocess.run(command, input=sql, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)
