"""The three servers: ours, the bare handler, and better-auth."""

import contextlib
import http.client
import os
import secrets
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import seed
import tools
from tools import HERE, MODULES, ROOT

PERMISSIONS = "documents.read AND documents.write"
DAY = 24 * 60 * 60 * 1000
ID = "key_1%015d"
SECRET = "sk_live_0000001%015d"


class Server:
    """A program that listens on a port of its own, and what is sent to it."""

    def __init__(self, name, keys, root=""):
        self.name = name
        self.keys = keys
        self.root = root
        self.requests = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self, command, log, **env):
        """Starts it, and returns once it listens."""
        env = {**os.environ, **{name: str(value) for name, value in env.items()}}
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], cwd=ROOT, env=env, stdout=out, stderr=out
            )
        until = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{self.name} does not listen:\n{Path(log).read_text()}")
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, kind, number):
        """Sends one request as wrk does; returns its status, its body, and all the answer's size."""
        path, item, body, _ = self.requests[kind]
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.root}"}
        connection.request("POST", path, (body % (item % number)).encode(), headers)
        answer = connection.getresponse()
        text = answer.read()
        line = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        size = len(line) + sum(len(n) + len(v) + 4 for n, v in answer.getheaders()) + 2 + len(text)
        connection.close()
        return answer.status, text, size

    def memory(self):
        """Returns the memory that it has now and the most that it had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


class Convox(Server):
    """Ours, with a database of `keys` keys: a URL of PostgreSQL, or else a file."""

    def __init__(self, program, work, url, keys):
        data = work / f"convox-{keys}"
        place = ["--data", data] + (["--database-url", url] if url else [])
        made = subprocess.run(
            [program, "console", "init", *place], check=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )
        seed.fill(url or data / "console.db", keys)
        super().__init__("convox", keys, made.stdout.strip())
        verify = '{"key":"%s","permissions":"' + PERMISSIONS + '"}'
        reroll = '{"keyId":"%s","expiration":' + str(DAY) + "}"
        self.requests = {
            "verify": ("/v2/keys.verifyKey", SECRET, verify, '"code":"VALID"'),
            "reroll": ("/v2/keys.rerollKey", ID, reroll, '"keyId":"key_'),
        }
        self.url, self.file = url, data / "console.db"
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        self.start([program, "console", "serve", *place, *listen], work / f"convox-{keys}.log")

    def rest(self):
        """Returns once everything that was verified is added up."""
        count = "SELECT count(*) AS n FROM counted_verifications"
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if self.url:
                left = int(tools.query(self.url, count)[0]["n"])
            else:
                with contextlib.closing(sqlite3.connect(self.file)) as database:
                    left = database.execute(count).fetchone()[0]
            if left == 0:
                return
            time.sleep(0.5)
        raise SystemExit("what was verified is not added up")


class Bare(Server):
    """The bare handler, which answers every request as `server` answers a verification."""

    def __init__(self, program, work, server):
        super().__init__("bare", server.keys, server.root)
        self.requests = {"verify": server.requests["verify"]}
        answer = work / "answer.json"
        answer.write_bytes(server.ask("verify", 0)[1])
        self.start([program, f"127.0.0.1:{self.port}", answer], work / "bare.log")


class BetterAuth(Server):
    """better-auth, on a database like ours; `sync` is what SQLite is to wait for."""

    def __init__(self, work, url, keys, sync):
        super().__init__("better-auth", keys)
        verify = '{"key":"%s","permissions":{"documents":["read","write"]}}'
        self.requests = {
            "verify": ("/verify", SECRET, verify, '"valid":true'),
            "reroll": ("/replace", ID, '{"keyId":"%s"}', '"keyId":"'),
        }
        self.start(
            ["node", HERE / "better_auth.mjs"],
            work / f"better-auth-{sync}.log",
            NODE_ENV="production",
            BENCH_DATABASE=url or work / "better-auth.db",
            BENCH_KEYS=keys,
            BENCH_MODULES=MODULES,
            BENCH_PORT=self.port,
            BENCH_SECRET=secrets.token_hex(32),
            BENCH_SYNC=sync,
        )
