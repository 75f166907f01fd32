// SPDX-License-Identifier: MIT
//! Figures, statistics and collecting, by their safe names.
#![cfg(feature = "extended")]
use mimalloc::{process, MiMalloc};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

#[test]
fn memory_is_counted_and_given_back() {
    let before = process::info();
    assert!(before.resident > 0 && before.peak_resident >= before.resident);
    let filled: Vec<Vec<u8>> = (0..64).map(|i| vec![i; 1 << 20]).collect();
    let full = process::info();
    assert!(full.resident > before.resident + (50 << 20), "{:?} {:?}", before, full);
    assert!(full.committed > 50 << 20 && full.peak_committed >= full.committed);
    assert!(full.faults > before.faults && full.elapsed >= before.elapsed);
    drop(filled);
    process::collect(true);
    let after = process::info();
    assert!(after.resident < full.resident - (40 << 20), "{:?} {:?}", full, after);
    // The system's count of the peak may lag behind a little.
    assert!(after.peak_resident + (2 << 20) >= full.resident);
}

#[test]
fn statistics_are_text() {
    let text = process::statistics();
    assert!(text.lines().count() > 5, "{}", text);
    assert!(text.contains("peak"), "{}", text);
}

#[test]
fn statistics_are_numbers_and_json() {
    let before = process::counts();
    let blocks: Vec<Box<[u8]>> = (0..1000).map(|_| vec![1; 5000].into()).collect();
    let after = process::counts();
    assert!(after.malloc_normal_count.total >= before.malloc_normal_count.total + 1000);
    assert!(after.malloc_normal.current >= 5_000_000 && after.threads.current >= 1);
    drop(blocks);
    let text = process::json().unwrap();
    assert!(text.starts_with('{') && text.trim_end().ends_with('}') && text.contains("\"malloc_normal\""));
}

#[test]
fn version_is_the_librarys() {
    assert_eq!(MiMalloc.version() / 10_000, 3);
}
