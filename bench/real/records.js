// SPDX-License-Identifier: MIT
// Records as JSON, buffers, compression and typed arrays: much of it outside the garbage collector's heap.
'use strict';
const zlib = require('zlib');
let total = 0;
for (let round = 0; round < 16; round++) {
    const records = [];
    for (let i = 0; i < 8000; i++) {
        records.push({ id: i, name: `user-${i * round}`, tags: [`a${i % 7}`, `b${i % 11}`], note: 'x'.repeat(i % 200) });
    }
    const text = JSON.stringify(records);
    const packed = zlib.deflateSync(Buffer.from(text), { level: 1 });
    const back = JSON.parse(zlib.inflateSync(packed).toString());
    const chunks = [];
    for (let i = 0; i < 4000; i++) {
        const chunk = Buffer.alloc(200 + (i * 37) % 20000, i & 255);
        chunks.push(chunk);
        total += chunk[chunk.length - 1];
    }
    total += back.length + Buffer.concat(chunks).length + new Float64Array(100000).fill(round)[7];
}
console.log(total);
