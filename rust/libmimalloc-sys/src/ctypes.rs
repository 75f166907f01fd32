// SPDX-License-Identifier: MIT
//! C's types that depend on the target; core has had them since Rust 1.64 only.
#![allow(dead_code)]

#[cfg(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "loongarch64",
    target_vendor = "apple",
    windows
))]
pub type c_char = i8;
#[cfg(not(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "loongarch64",
    target_vendor = "apple",
    windows
)))]
pub type c_char = u8;
pub type c_uchar = u8;
pub type c_short = i16;
pub type c_ushort = u16;
pub type c_int = i32;
pub type c_uint = u32;
#[cfg(all(target_pointer_width = "64", not(windows)))]
pub type c_long = i64;
#[cfg(not(all(target_pointer_width = "64", not(windows))))]
pub type c_long = i32;
#[cfg(all(target_pointer_width = "64", not(windows)))]
pub type c_ulong = u64;
#[cfg(not(all(target_pointer_width = "64", not(windows))))]
pub type c_ulong = u32;
pub type c_longlong = i64;
pub type c_ulonglong = u64;
