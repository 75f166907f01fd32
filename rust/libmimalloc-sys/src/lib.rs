// SPDX-License-Identifier: MIT
//! The library and its declarations, for Rust.
//!
//! Without features there are the functions that a global allocator calls; with `extended` all of
//! the public headers. The declarations are made from those headers when the crate is built, so
//! they are always those of the library beside them. For a `GlobalAlloc` see the crate `mimalloc`.
#![no_std]
#![allow(non_camel_case_types, non_upper_case_globals)]
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

pub use core::ffi::c_void;

#[cfg(feature = "extended")]
mod ctypes;
#[cfg(feature = "extended")]
pub use ctypes::*;

#[cfg(feature = "extended")]
/// Sizes up to this one are the quickest, in bytes.
pub const MI_SMALL_SIZE_MAX: usize = MI_SMALL_WSIZE_MAX * core::mem::size_of::<*mut c_void>();

include!(concat!(env!("OUT_DIR"), "/base.rs"));
#[cfg(feature = "extended")]
include!(concat!(env!("OUT_DIR"), "/extended.rs"));
