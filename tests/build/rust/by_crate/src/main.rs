// SPDX-License-Identifier: MIT
//! Words counted by several threads, with mimalloc as every dependent has it.
use std::collections::BTreeMap;
use std::thread;

use mimalloc::MiMalloc;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

fn main() {
    let counts: Vec<BTreeMap<String, usize>> = (0..4)
        .map(|t| {
            thread::spawn(move || {
                let mut counts = BTreeMap::new();
                for i in 0..20_000 {
                    *counts.entry(format!("word{}", (i * 7 + t) % 1000)).or_insert(0) += 1;
                }
                counts
            })
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let mut all = BTreeMap::new();
    for (word, count) in counts.into_iter().flatten() {
        *all.entry(word).or_insert(0) += count;
    }
    println!("{} words, {} in all", all.len(), all.values().sum::<usize>());
}
