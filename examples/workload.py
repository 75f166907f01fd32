#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A workload of the kind that services run: build records, write and read them as JSON, cut and join strings.

Run it with PYTHONMALLOC=malloc, so that every object comes from malloc instead of Python's own pools.
"""
import json
import re
import sys

ROUNDS = 12
RECORDS = 6000


def record(i):
    return {
        "id": i,
        "name": f"user-{i:06d}",
        "tags": [f"tag{j}" for j in range(i % 7)],
        "address": {"street": "Long Road " * (i % 5), "number": i % 200, "city": "City " + str(i % 97)},
        "scores": [i * k % 1001 for k in range(i % 11)],
        "note": "x" * (i % 300),
    }


def main():
    kept = {}
    words = 0
    for round_number in range(ROUNDS):
        records = [record(i + round_number) for i in range(RECORDS)]
        text = json.dumps(records)
        back = json.loads(text)
        assert back == records
        counts = {}
        for word in re.findall(r"[A-Za-z]+", text):
            counts[word] = counts.get(word, 0) + 1
        words += sum(counts.values())
        lines = "\n".join(f"{r['id']},{r['name']},{'|'.join(r['tags'])}" for r in back).split("\n")
        kept[round_number % 3] = [line.upper().replace("USER", "member") for line in lines]
    print(f"{ROUNDS * RECORDS} records, {words} words, {sum(map(len, kept.values()))} lines kept")


if __name__ == "__main__":
    sys.exit(main())
