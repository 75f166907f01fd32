// SPDX-License-Identifier: MIT
//! Blocks that wander between threads, and threads that come and go.
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mimalloc::MiMalloc;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Text whose length and letters follow from a number.
fn text(n: usize) -> String {
    (0..n * 7919 % 900 + 1).map(|i| char::from(b'a' + ((n + i) % 26) as u8)).collect()
}

#[test]
fn one_thread_allocates_another_frees() {
    let (give, take) = mpsc::sync_channel::<(usize, String, Vec<usize>)>(200);
    let reader = thread::spawn(move || {
        let mut total = 0;
        for (n, name, numbers) in take {
            assert_eq!(name, text(n));
            assert_eq!(numbers, vec![n; n % 300]);
            total += numbers.len();
        }
        total
    });
    for n in 0..20_000 {
        give.send((n, text(n), vec![n; n % 300])).unwrap();
    }
    drop(give);
    assert_eq!(reader.join().unwrap(), (0..20_000).map(|n| n % 300).sum());
}

#[test]
fn blocks_go_round_and_are_replaced_on_the_way() {
    const THREADS: usize = 4;
    const HOPS: usize = 400;
    type Parts = (usize, Vec<String>);
    let (done, finished) = mpsc::channel::<Parts>();
    let (gives, takes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Parts>()).unzip();
    for (i, take) in takes.into_iter().enumerate() {
        let (next, done) = (gives[(i + 1) % THREADS].clone(), done.clone());
        thread::spawn(move || {
            for (hops, mut parts) in take {
                for (n, part) in parts.iter_mut().enumerate() {
                    assert_eq!(*part, text(n), "hop {}", hops);
                    if (n + hops) % 3 == 0 {
                        *part = part.clone(); // the old one is another thread's
                    }
                }
                let to = if hops == 0 { &done } else { &next };
                if to.send((hops.saturating_sub(1), parts)).is_err() {
                    return;
                }
            }
        });
    }
    for give in &gives {
        give.send((HOPS, (0..60).map(text).collect())).unwrap();
    }
    for _ in 0..THREADS {
        // A thread that found something else has panicked, and its set does not arrive.
        let (_, parts) = finished.recv_timeout(Duration::from_secs(60)).expect("a set of blocks is lost");
        assert!(parts.iter().enumerate().all(|(n, part)| *part == text(n)));
    }
}

#[test]
fn what_ended_threads_left_is_freed_by_others() {
    let mut kept: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for generation in 0..60 {
        let made: Vec<_> = (0..4)
            .map(|i| {
                thread::spawn(move || {
                    (0..50).map(|n| text(generation * 1000 + i * 100 + n)).collect::<Vec<_>>()
                })
            })
            .collect();
        for (i, one) in made.into_iter().enumerate() {
            kept.insert(generation * 10 + i, one.join().unwrap());
        }
        if generation >= 5 {
            for i in 0..4 {
                let old = kept.remove(&((generation - 5) * 10 + i)).unwrap();
                assert!(old
                    .iter()
                    .enumerate()
                    .all(|(n, s)| *s == text((generation - 5) * 1000 + i * 100 + n)));
            }
        }
    }
    assert_eq!(kept.len(), 20);
}
