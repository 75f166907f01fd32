# SPDX-License-Identifier: MIT
"""Records as JSON, sorted and counted, and trees of objects: run with PYTHONMALLOC=malloc."""
import json
import re


class Node:
    def __init__(self, key, left, right):
        self.key, self.left, self.right = key, left, right

    def total(self):
        return self.key + sum(child.total() for child in (self.left, self.right) if child)


def tree(low, high):
    if low >= high:
        return None
    middle = (low + high) // 2
    return Node(middle, tree(low, middle), tree(middle + 1, high))


def record(i):
    return {"id": i, "name": f"user-{i:06d}", "tags": [f"tag{j}" for j in range(i % 7)], "note": "x" * (i % 300),
            "place": {"street": "Long Road " * (i % 5), "number": i % 200}, "scores": [i * k % 1001 for k in range(i % 11)]}


words = 0
for round_number in range(4):
    records = json.loads(json.dumps([record(i + round_number) for i in range(5000)]))
    records.sort(key=lambda r: (r["place"]["number"], r["name"]))
    counts = {}
    for word in re.findall("[a-z]+", json.dumps(records)):
        counts[word] = counts.get(word, 0) + 1
    words += sum(counts.values()) + tree(0, 20000).total()
print(words)
