// SPDX-License-Identifier: MIT
//! Options, set by the program.
#![cfg(feature = "extended")]
use mimalloc::options::Setting;

#[test]
fn a_value_is_set_clamped_and_kept() {
    assert_eq!(Setting::MAX_WARNINGS.get(), 32);
    Setting::MAX_WARNINGS.set_default(40);
    assert_eq!(Setting::MAX_WARNINGS.get(), 40);
    Setting::MAX_WARNINGS.set(50);
    Setting::MAX_WARNINGS.set_default(60); // it has been set
    assert_eq!(Setting::MAX_WARNINGS.get(), 50);
    Setting::MAX_WARNINGS.set(-77);
    assert_eq!(Setting::MAX_WARNINGS.get(), -1);
}

#[test]
fn unknown_ones_are_harmless() {
    let unknown = Setting::from_raw(999);
    unknown.set(5);
    assert_eq!(unknown.get(), 0);
    assert_ne!(unknown, Setting::PURGE_DELAY);
}
