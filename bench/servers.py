# SPDX-License-Identifier: MIT
"""Servers under load: each listens on the loopback device, on a port of its own, and is stopped by its process id.

The time is the client's, for a fixed amount of work; processor time, memory and page faults are the server's. The client
runs without the allocator.
"""
import glob
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

import allocators
import measure

LIMIT_S = 120


def find_program(name):
    """The full name of a program, PostgreSQL's folders included."""
    found = shutil.which(name, path=measure.environment()["PATH"])
    if found:
        return found
    # The newest version.
    paths = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda p: int(p.split("/")[4].split(".")[0]))
    return paths[-1] if paths else None


def missing(needs):
    """The Debian packages of the programs that are not there, as a line; None when all are."""
    absent = sorted({package for program, package in needs if find_program(program) is None})
    return f"not installed: {', '.join(absent)}" if absent else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    for _ in range(1000):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            if process.popen.poll() is not None:
                raise measure.Failed(f"did not start: {measure.last_line(process.errors())}") from None
            time.sleep(0.01)
    raise measure.Failed("does not listen")


def client(command, env=None, limit_s=LIMIT_S):
    """Runs a client to its end; its output."""
    try:
        made = subprocess.run(command, env=measure.environment(env), capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise measure.Failed(f"{command[0]}: not done after {limit_s} s") from None
    if made.returncode != 0:
        raise measure.Failed(f"{os.path.basename(command[0])}: {measure.last_line(made.stderr or made.stdout)}")
    return made.stdout


class Server:
    """What all have in common. A subclass says how to start, load and empty it."""

    group, threads = "real", 1
    family = False       # several processes, whose memory is added up
    stopped_by = signal.SIGTERM
    user = None

    def missing(self):
        return missing(self.needs)

    def prepare(self, context):
        pass

    def ready(self, port):
        """Waits until the server, which listens already, does its work."""

    def empty(self, port):
        """Drops all data, where the server can."""

    def program(self):
        return find_program(self.needs[0][0])

    def run(self, context, allocator):
        port = free_port()
        with measure.Process(context.launcher, context.scratch, allocator, self.command(context, port), user=self.user,
                             program=self.program(), env=self.env()) as process:
            wait_for(port, process)
            self.ready(port)
            pid = process.pid()
            with measure.Watch(pid) as watch:
                start = time.monotonic()
                self.load(context, port)
                wall = time.monotonic() - start
            self.empty(port)
            after = measure.memory_kib(pid, "Pss" if self.family else "Rss")
            idle = None
            if context.idle_ms > 0:
                time.sleep(context.idle_ms / 1000)
                idle = measure.memory_kib(pid, "Pss" if self.family else "Rss")
            sample = process.stop(self.stopped_by)
        sample.update(wall_s=wall, after_kib=after, idle_kib=idle)
        if self.family:
            sample["peak_kib"] = watch.peak_kib
        return sample

    def env(self):
        return None


class Redis(Server):
    name, text = "redis", "redis-server under redis-benchmark; afterwards all is deleted"
    needs = [("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"), ("redis-cli", "redis-tools")]

    def command(self, context, port):
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--activedefrag", "no", "--dir", context.scratch, "--logfile", "/dev/null"]

    def load(self, context, port):
        common = ["redis-benchmark", "-p", str(port), "-q", "-c", "30", "-r", "60000"]
        client(common + ["-P", "16", "-n", "150000", "-d", "200", "-t", "set,get,lpush,sadd,hset,zadd"])
        client(common + ["-P", "8", "-n", "30000", "-d", "3000", "-t", "set,get"])

    def empty(self, port):
        client(["redis-cli", "-p", str(port), "flushall", "sync"])


class Memcached(Server):
    name, text = "memcached", "memcached: values set, read and replaced over several connections"
    needs = [("memcached", "memcached")]

    def command(self, context, port):
        user = pwd.getpwuid(os.geteuid()).pw_name
        return ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "2", "-m", "256", "-u", user]

    def prepare(self, context):
        # Built once: the client has to be faster than the server.
        state, sets, gets = 1, [], []
        for i in range(150000):
            state = state * 16807 % 2147483647
            size = 20 + state % 600
            sets.append(b"set key%d 0 0 %d noreply\r\n%b\r\n" % (i % 60000, size, b"x" * size))
        for i in range(0, 60000, 60):
            gets.append(b"get " + b" ".join(b"key%d" % (i + k) for k in range(60)) + b"\r\n")
        self.sets = [b"".join(sets[i::8]) + b"version\r\n" for i in range(8)]
        self.gets = gets

    def load(self, context, port):
        connections = [socket.create_connection(("127.0.0.1", port), LIMIT_S) for _ in range(8)]
        files = [c.makefile("rb") for c in connections]
        try:
            for _ in range(2):
                for c, data in zip(connections, self.sets):
                    c.sendall(data)
                for f in files:
                    f.readline()
                for i, data in enumerate(self.gets):
                    connections[i % 8].sendall(data)
                    while not files[i % 8].readline().startswith(b"END"):
                        pass
        finally:
            for c in files + connections:
                c.close()

    def empty(self, port):
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as c:
            c.sendall(b"flush_all\r\n")
            c.recv(100)


class Nginx(Server):
    name, text, family = "nginx", "nginx as a proxy before itself, under ab", True
    needs = [("nginx", "nginx-light"), ("ab", "apache2-utils")]

    def command(self, context, port):
        folder = os.path.join(context.scratch, "nginx")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "page.txt"), "w", encoding="ascii") as file:
            file.write("a page of a kilobyte or two\n" * 60)
        behind = free_port()
        user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        configuration = f"""{user}
            daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/errors;
            events {{ worker_connections 512; }}
            http {{ access_log off; gzip on; gzip_types text/plain; gzip_min_length 1; keepalive_requests 1000000;
                {temporary}
                upstream page {{ server 127.0.0.1:{behind}; keepalive 16; }}
                server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://page; proxy_http_version 1.1;
                    proxy_set_header Connection ""; }} }}
                server {{ listen 127.0.0.1:{behind}; root {folder}; }} }}"""
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(configuration)
        return [find_program("nginx"), "-p", folder, "-c", path, "-e", f"{folder}/errors"]

    def load(self, context, port):
        output = client(["ab", "-q", "-k", "-n", "12000", "-c", "40", "-H", "Accept-Encoding: gzip",
                         f"http://127.0.0.1:{port}/page.txt"])
        if "Non-2xx responses" in output:
            raise measure.Failed("nginx answers with errors")


class Postgres(Server):
    name, text, family = "postgres", "PostgreSQL under pgbench", True
    needs = [("postgres", "postgresql"), ("initdb", "postgresql"), ("pgbench", "postgresql")]
    stopped_by = signal.SIGINT  # ends without waiting for its clients

    def prepare(self, context):
        """A data base with pgbench's tables, made by the program as it is installed."""
        self.folder = os.path.join(context.scratch, "postgres")
        self.user, as_user = None, []
        if os.path.isdir(self.folder):
            shutil.rmtree(self.folder)
        os.makedirs(self.folder)
        if os.geteuid() == 0:
            # It refuses to run as root.
            entry = next(e for e in pwd.getpwall() if e.pw_name in ("postgres", "nobody") and e.pw_uid != 0)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.user = str(entry.pw_uid)
            as_user = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        client(as_user + [find_program("initdb"), "-D", self.folder + "/data", "-U", "bench", "-A", "trust", "--no-sync",
                          "--no-locale", "-E", "UTF8"])
        port = free_port()
        plain = allocators.Allocator(allocators.GLIBC, "")
        with measure.Process(context.launcher, context.scratch, plain, self.command(context, port), user=self.user,
                             program=find_program("postgres"), env=self.env()) as process:
            wait_for(port, process)
            self.ready(port)
            self.pgbench(port, "-i", "-q", "-s", "3", database="postgres")
            process.stop(self.stopped_by)

    def env(self):
        return {"PGUSER": "bench"}

    def command(self, context, port):
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "fsync=off",
                    "synchronous_commit=off", "shared_buffers=48MB", "max_connections=20", "autovacuum=off",
                    "logging_collector=off", "log_min_messages=fatal", "log_checkpoints=off"]
        return [find_program("postgres"), "-D", self.folder + "/data"] + [word for s in settings for word in ("-c", s)]

    def ready(self, port):
        for _ in range(500):
            command = [find_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-d", "postgres"]
            if subprocess.run(command, env=measure.environment()).returncode == 0:
                return
            time.sleep(0.02)
        raise measure.Failed("PostgreSQL is not ready")

    def pgbench(self, port, *arguments, database="postgres"):
        client([find_program("pgbench"), "-h", "127.0.0.1", "-p", str(port), "-U", "bench"] + list(arguments) + [database])

    def load(self, context, port):
        self.pgbench(port, "-n", "-c", "4", "-S", "-t", "2500", "--random-seed=7")
        # A connection for each transaction: what starting a server process costs.
        self.pgbench(port, "-n", "-c", "2", "-C", "-S", "-t", "60", "--random-seed=7")
        self.pgbench(port, "-n", "-c", "4", "-t", "250", "--random-seed=7")


class RustWeb(Server):
    name, text = "rust_web", "a web server in Rust (hyper, tokio) with a cache, under its own client"
    needs = [("cargo", "cargo"), ("rustc", "rustc"), ("hyper", "librust-hyper-dev"), ("tokio", "librust-tokio-dev")]
    requests, documents, budget = 24000, 12000, 100 << 20

    def missing(self):
        programs = [need for need in self.needs if not need[1].startswith("librust")]
        crates = [package for crate, package in self.needs if package.startswith("librust")
                  and not glob.glob(f"/usr/share/cargo/registry/{crate}-[0-9]*")]
        return missing(programs) or (f"not installed: {', '.join(crates)}" if crates else None)

    def prepare(self, context):
        self.folder = os.path.join(context.builder.folder, "rust-web")
        script = os.path.join(os.path.dirname(measure.HERE), "examples", "rust-web", "build.sh")
        client(["bash", script, self.folder], {"HOME": self.folder}, limit_s=600)

    def program(self):
        return os.path.join(self.folder, "web-server")

    def command(self, context, port):
        return [self.program(), "--port", str(port), "--threads", "2"]

    def load(self, context, port):
        self.put(port, f"/budget?bytes={self.budget}")
        return self.requests_of(port, self.requests)

    def requests_of(self, port, requests):
        """The client's figures."""
        return measure.values(client([os.path.join(self.folder, "web-load"), "--port", str(port), "--requests", str(requests),
                                      "--documents", str(self.documents), "--seconds", str(LIMIT_S)]))

    def empty(self, port):
        # The cache is emptied, and a little is asked for now and then, as of any server after a rush.
        self.put(port, "/budget?bytes=0")
        for _ in range(20):
            self.requests_of(port, 64)
            time.sleep(0.1)

    def put(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        try:
            connection.request("PUT", path)
            if connection.getresponse().status != 200:
                raise measure.Failed(f"PUT {path} is refused")
        finally:
            connection.close()
