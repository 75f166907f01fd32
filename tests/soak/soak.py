#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Servers under load for as long as you like, with the library preloaded: every answer is checked, and memory stays flat.

    tests/soak/soak.py LIBRARY.so [MINUTES]

A redis-server, a memcached where there is one, and a threaded HTTP server in Python are each asked by clients that know what
must come back: keys of a live set that stays about the same are written with another size, read, and deleted. Redis forks to
save its data every half a minute. Resident memory is looked at every two seconds: its median over the last quarter of the time
may exceed that over the second quarter by a tenth and 8 MiB at most. The figures are printed as they come.
"""
import hashlib
import http.client
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

KEYS = 20000
VALUE_MAX = 12000
SLACK_BYTES = 8 << 20

HTTP_SERVER = """
import hashlib, http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        count = int(self.path[1:])
        rows = [{"row": i, "sum": hashlib.sha256(b"%d" % i).hexdigest()} for i in range(count)]
        body = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def value_of(key, version):
    """What the client wrote under a key: of any size, most of them small."""
    seed = hashlib.sha256(b"%d %d" % (key, version)).digest()
    size = int(VALUE_MAX ** (seed[0] / 255)) + seed[1] % 16
    return (seed * (size // len(seed) + 1))[:size]


class Store:
    """Which version of each key the server must have: 0 is none. One client each, so that nobody else writes."""

    def __init__(self, port):
        self.random = random.Random(port)
        self.versions = [0] * KEYS
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.lines = self.connection.makefile("rb")

    def step(self):
        key = self.random.randrange(KEYS)
        chance = self.random.random()
        if chance < 0.4:
            self.versions[key] += 1 if self.versions[key] >= 0 else 1 - 2 * self.versions[key]
            self.put(key, value_of(key, self.versions[key]))
        elif chance < 0.5:
            self.versions[key] = -abs(self.versions[key])
            self.remove(key)
        else:
            version = self.versions[key]
            if self.get(key) != (value_of(key, version) if version > 0 else None):
                raise AssertionError(f"key {key}, version {version}: another value")

    def ask(self, request):
        self.connection.sendall(request)
        return self.lines.readline()

    def value(self, size):
        return self.lines.read(size + 2)[:-2]


class Redis(Store):
    def command(self, *parts):
        return self.ask(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    def put(self, key, value):
        assert self.command(b"SET", b"k%d" % key, value) == b"+OK\r\n"

    def remove(self, key):
        assert self.command(b"DEL", b"k%d" % key)[:1] == b":"

    def get(self, key):
        size = int(self.command(b"GET", b"k%d" % key)[1:])
        return None if size < 0 else self.value(size)


class Memcached(Store):
    def put(self, key, value):
        assert self.ask(b"set k%d 0 0 %d\r\n%s\r\n" % (key, len(value), value)) == b"STORED\r\n"

    def remove(self, key):
        assert self.ask(b"delete k%d\r\n" % key) in (b"DELETED\r\n", b"NOT_FOUND\r\n")

    def get(self, key):
        head = self.ask(b"get k%d\r\n" % key)
        if head == b"END\r\n":
            return None
        value = self.value(int(head.split()[3]))
        assert self.lines.readline() == b"END\r\n"
        return value


class Http:
    """A connection, and thus a thread of the server, for ten requests."""

    def __init__(self, port):
        self.port = port
        self.random = random.Random(port)
        self.connection = None
        self.left = 0
        self.sums = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(2000)]

    def step(self):
        if self.left == 0:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.left = 10
        self.left -= 1
        count = self.random.randrange(2000)
        self.connection.request("GET", f"/{count}")
        body = self.connection.getresponse().read()
        if body.count(b'"row"') != count or (count > 0 and self.sums[count - 1].encode() not in body):
            raise AssertionError(f"{count} rows: another answer")
        if self.left == 0:
            self.connection.close()


class Load:
    """A server, its client in a thread, and what memory it had."""

    def __init__(self, name, client, port, command, library, scratch):
        self.name, self.client, self.port = name, client, port
        self.steps, self.failure, self.resident = 0, None, []
        environment = {**os.environ, "LD_PRELOAD": library, "PYTHONMALLOC": "malloc"}
        self.server = subprocess.Popen(command, env=environment, cwd=scratch, stdout=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.drive, daemon=True)

    def serves(self):
        with open(f"/proc/{self.server.pid}/maps", encoding="utf-8") as maps:
            return "libmimalloc" in maps.read()

    def connect(self):
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self.client(self.port)
            except ConnectionError:
                time.sleep(0.1)
        raise ConnectionError(f"{self.name} does not start")

    def drive(self):
        try:
            client = self.connect()
            while not Load.over:
                client.step()
                self.steps += 1
        except Exception as failure:  # the main thread tells
            self.failure = f"{type(failure).__name__}: {failure}"

    def look(self):
        with open(f"/proc/{self.server.pid}/statm", encoding="utf-8") as statm:
            self.resident.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE"))

    def judge(self):
        """What is wrong, or None."""
        if self.failure or self.server.poll() is not None:
            return self.failure or f"ended with {self.server.returncode}"
        quarter = len(self.resident) // 4
        if quarter == 0:
            return "too short to tell"
        before = statistics.median(self.resident[quarter:2 * quarter])
        after = statistics.median(self.resident[-quarter:])
        print(f"{self.name}: {self.steps} answers right, {before / 1e6:.1f} MB resident in the second quarter, "
              f"{after / 1e6:.1f} in the last")
        return f"grows to {after / before:.2f}" if after > before * 1.1 + SLACK_BYTES else None


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def main():
    library, minutes = os.path.realpath(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10
    Load.over = False
    loads = []
    with tempfile.TemporaryDirectory() as scratch:
        def add(name, client, command):
            port = free_port()
            loads.append(Load(name, client, port, [part.format(port=port) for part in command], library, scratch))
        try:
            if shutil.which("redis-server"):
                add("redis", Redis, ["redis-server", "--port", "{port}", "--save", "30 100", "--dir", scratch])
            if shutil.which("memcached"):
                user = ["-u", "nobody"] if os.geteuid() == 0 else []
                add("memcached", Memcached, ["memcached", "-l", "127.0.0.1", "-p", "{port}", "-m", "64", "-t", "4", *user])
            with open(os.path.join(scratch, "server.py"), "w", encoding="utf-8") as file:
                file.write(HTTP_SERVER)
            add("http", Http, [sys.executable, "server.py", "{port}"])
            for load in loads:
                load.thread.start()
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end and not any(load.failure for load in loads):
                time.sleep(2)
                for load in loads:
                    if load.server.poll() is None:
                        load.look()
            ours = [load.serves() for load in loads if load.server.poll() is None]
            Load.over = True
            for load in loads:
                load.thread.join(60)
            wrong = [f"{load.name}: {said}" for load in loads if (said := load.judge())]
            if not all(ours):
                wrong.append("a server runs without the library")
        finally:
            for load in loads:
                load.server.kill()
                load.server.wait()
    print("\n".join(wrong) or f"{minutes:g} minutes, nothing wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
