// SPDX-License-Identifier: MIT
// Buffers and compressed documents of all sizes, nine tenths of which go again (see run.py). What V8 keeps in its own heap
// is none of malloc's; buffers, zlib and the like are.
const zlib = require('zlib');

const cache = new Map();
let random = 1, open = 0;

function next() {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    return random;
}

function request(left) {
    if (left === 0) {
        if (--open === 0) finish();
        return;
    }
    const body = Buffer.allocUnsafeSlow(1000 + next() % 60000).fill(String(next()));
    zlib.deflate(body, (error, packed) => {
        if (error) throw error;
        cache.set(next() % 4000, [packed, body]);
        request(left - 1);
    });
}

function finish() {
    for (const key of [...cache.keys()]) if (key % 10) cache.delete(key);
    global.gc();
    process.stdin.once('data', () => process.exit(0));
    setTimeout(() => { global.gc(); console.log('done', cache.size); }, 500);
}

for (; open < 8; open++) request(1500);
