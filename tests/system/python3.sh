#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# python3: json, strings, regular expressions, threads, child processes; with its own small-block allocator and without.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need "${PYTHON:=python3}"
python=$("$PYTHON" -c 'import sys; print(sys.executable)')
cat >"$scratch/work.py" <<'PY'
import collections, gc, hashlib, json, random, re, subprocess, sys, threading, zlib

random.seed(7)
digest = hashlib.sha256()

def note(*values):
    text = repr(values)
    digest.update(text.encode())
    print(text[:100])

def make(depth):
    if depth == 0:
        return random.choice([None, True, random.random(), random.getrandbits(64), "text\u00e9" * random.randrange(20)])
    if random.random() < 0.5:
        return [make(depth - 1) for _ in range(random.randrange(8))]
    return {"key%d" % random.randrange(10 ** 6): make(depth - 1) for _ in range(random.randrange(8))}

documents = [make(6) for _ in range(60)]
text = json.dumps(documents, sort_keys=True)
note("json", len(text), json.loads(text) == documents, zlib.crc32(text.encode()))

words = re.findall(r"[a-z\u00e9]+\d*", text)
note("re", len(words), collections.Counter(w[:4] for w in words).most_common(5))
note("sub", zlib.crc32(re.sub(r"(\d)(\d)", r"\2\1", text).encode()))

big = ""
for i in range(20000):
    big += "%d," % i
note("strings", len(big), big.count("99"), zlib.crc32("".join(sorted(big.split(","))).encode()))

data = bytearray()
for i in range(2000):
    data.extend(bytes([i % 256]) * (i % 700))
    if i % 97 == 0:
        del data[: len(data) // 3]
note("bytearray", len(data), zlib.crc32(data), len(zlib.decompress(zlib.compress(bytes(data)))))

results = {}
def work(number):
    own = random.Random(number)
    table = {}
    for i in range(20000):
        table[own.randrange(3000)] = "x" * own.randrange(300)
    results[number] = sum(map(len, table.values()))
threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
note("threads", sorted(results.items()))

code = "import sys; d = sys.stdin.read(); print(len(d), d.count('a'))"
for i in range(5):
    child = subprocess.run([sys.executable, "-c", code], input="abc" * 10000 * (i + 1), capture_output=True, text=True)
    note("child", child.returncode, child.stdout, child.stderr)

class Node:
    pass
for i in range(30000):
    a, b = Node(), Node()
    a.other, b.other = b, a
note("gc", gc.collect() >= 0)
print(digest.hexdigest())
PY
active "$python" -c pass
export PYTHONHASHSEED=0
same "$python" "$scratch/work.py" </dev/null
PYTHONMALLOC=malloc same "$python" "$scratch/work.py" </dev/null
