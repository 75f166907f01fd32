#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# node: buffers, JSON, workers, compression and a child process. V8 reserves large ranges of address space beside ours.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need node
cat >"$scratch/work.js" <<'JS'
const crypto = require("crypto"), zlib = require("zlib"), child = require("child_process");
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
function work(seed) {
    let x = seed;
    const rnd = (n) => { x = (x * 1103515245 + 12345) % 2147483648; return Math.floor(x / 256) % n; };
    const map = new Map(), hash = crypto.createHash("sha256");
    for (let i = 0; i < 60000; i++) {
        map.set(rnd(5000), { text: "t".repeat(rnd(60)) + i, list: [i, i + 1, rnd(9)] });
        if (i % 4 === 0) map.delete(rnd(5000));
    }
    hash.update(JSON.stringify([...map.entries()].sort((a, b) => a[0] - b[0])));
    const buffers = [];
    for (let i = 0; i < 3000; i++) {
        buffers[rnd(200)] = Buffer.alloc(1 + rnd(50000), i % 256);
        if (i % 100 === 0) hash.update(zlib.inflateSync(zlib.deflateSync(Buffer.concat(buffers.filter(Boolean)))));
    }
    return hash.digest("hex");
}
if (!isMainThread) {
    parentPort.postMessage(work(workerData));
} else {
    console.log(work(1));
    const jobs = [2, 3, 4].map((seed) => new Promise((done, failed) => {
        const worker = new Worker(__filename, { workerData: seed });
        worker.on("message", done);
        worker.on("error", failed);
    }));
    Promise.all(jobs).then((all) => {
        for (const one of all) console.log(one);
        console.log(child.execFileSync(process.execPath, ["-e", "console.log('x'.repeat(10))"]).toString());
    });
}
JS
active node -e 0
same node "$scratch/work.js" </dev/null
