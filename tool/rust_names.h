// SPDX-License-Identifier: MIT
// rust_names.h — Rust's mangled names.
#ifndef MI_TOOL_RUST_NAMES_H
#define MI_TOOL_RUST_NAMES_H

// The name that a symbol stands for, in a new string; NULL where it is none of Rust's ("_R…"), or damaged.
char *rust_demangle(const char *mangled);

// Of Rust's older names, which read like C++'s and end in a hash, this goes, and what stands for other
// characters becomes these. Other names stay as they are.
void rust_unescape(char *name);

#endif
