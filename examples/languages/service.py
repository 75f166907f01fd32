# SPDX-License-Identifier: MIT
"""A cache of JSON documents behind four threads, which then loses nine tenths of it (see run.py)."""
import json
import sys
import threading

cache, lock = {}, threading.Lock()


def work(seed):
    random = seed
    for i in range(15000):
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        document = json.dumps({"id": random, "tags": [str(random % (k + 3)) for k in range(12)], "text": "x" * (random % 2000)})
        with lock:
            cache[random % 40000] = json.loads(document)


threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for key in [key for key in cache if key % 10]:
    del cache[key]
print("done", len(cache), flush=True)
sys.stdin.readline()
