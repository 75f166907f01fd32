#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Rust crate's build script understands the public headers: every exported name is declared, and the result is Rust.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=../../tools/cargo.bash
. "$here/../../tools/cargo.bash"
need "$RUSTC"
crate=$here/../../rust/libmimalloc-sys

cat >"$scratch/main.rs" <<END
#[path = "$crate/build/bindings.rs"]
mod bindings;
pub type Outcome<T> = Result<T, String>;
fn main() {
    let text: String = std::env::args().skip(2).map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let (base, extended) = bindings::translate(&text, &["mi_malloc", "mi_free"]).unwrap();
    std::fs::write(std::env::args().nth(1).unwrap(), base + &extended).unwrap();
}
END
"$RUSTC" --edition 2021 -A dead_code -o "$scratch/translate" "$scratch/main.rs"
# As build/main.rs chooses: mimalloc.h first, and not what is for tools alone.
headers=$(grep -l 'extern "C" {' "$here"/../../include/*.h | xargs grep -L 'extern const mi_descriptor_t' | sed 's/\.h$//' | LC_ALL=C sort | sed 's/$/.h/')
# shellcheck disable=SC2086
"$scratch/translate" "$scratch/bindings.rs" $headers || fail "the headers are not understood: see build/bindings.rs"

sed -n 's/.*pub fn \(mi_\w*\)(.*/\1/p' "$scratch/bindings.rs" | LC_ALL=C sort >"$scratch/declared"
grep '^mi_' "$here/../golden/exports.txt" | grep -vx mi_descriptor | LC_ALL=C sort >"$scratch/exported"
diff "$scratch/exported" "$scratch/declared" || fail "not what is exported (<) but what is declared (>)"

cat >"$scratch/lib.rs" <<END
#![allow(non_camel_case_types, non_upper_case_globals)]
pub use core::ffi::c_void;
#[path = "$crate/src/ctypes.rs"]
mod ctypes;
pub use ctypes::*;
include!("$scratch/bindings.rs");
END
"$RUSTC" --edition 2021 --crate-type lib --emit metadata -D warnings -o "$scratch/lib.rmeta" "$scratch/lib.rs"
echo "$(wc -l <"$scratch/declared") functions declared"

# What it does not understand is an error, not a hole.
for odd in 'union u { int a; };' 'int mi_odd(struct unknown_s s);' 'int mi_list[3];' 'void mi_call(unknown_fun f);'; do
    printf 'void *mi_malloc(size_t n); void mi_free(void *p);\n%s\n' "$odd" >"$scratch/odd.h"
    ! "$scratch/translate" "$scratch/odd.rs" "$scratch/odd.h" 2>/dev/null || fail "accepted: $odd"
done
# What future headers may hold.
cat >"$scratch/more.h" <<'END'
void *mi_malloc(size_t n); void mi_free(void *p);
#define N_LAST (73) /* of the list */
#define N_MAX (N_LAST + 1)
#define N_WORDS (N_MAX * sizeof(void *))
struct mi_heap_s;
/* A heap. */
typedef struct mi_heap_s mi_heap_t;
typedef struct mi_count_s {
    int64_t total, peak; /* two of one type */
    size_t bins[N_MAX + 1];
    void *data[4][2];
} mi_count_t;
typedef enum mi_kind_e { MI_A, MI_B = 7, MI_C } mi_kind_t;
typedef void *mi_arena_id_t;
typedef void *mi_arena_id_t;
typedef bool(mi_visit_fun)(const mi_heap_t *heap, const mi_count_t *area, void *block, size_t size, void *arg);
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_new(void);
typedef bool(mi_commit_fun_t)(bool commit, void *start, size_t size, bool *is_zero, void *arg);
bool mi_manage(void *start, mi_commit_fun_t *commit_fun, mi_arena_id_t *id, unsigned long);
bool mi_heap_visit(const mi_heap_t *heap, bool blocks, mi_visit_fun *visit, void *arg);
mi_arena_id_t mi_arena(mi_kind_t kind, unsigned long long type, const char *const *names);
END
"$scratch/translate" "$scratch/bindings.rs" "$scratch/more.h"
"$RUSTC" --edition 2021 --crate-type lib --emit metadata -D warnings -o "$scratch/lib.rmeta" "$scratch/lib.rs"
for line in 'pub struct mi_heap_t {' 'pub peak: i64' 'pub bins: \[usize; N_MAX+1\]' 'pub data: \[\[\*mut c_void; 2\]; 4\]' \
    'pub const N_LAST: usize = 73;' 'pub const N_MAX: usize = N_LAST + 1;' 'pub const MI_C: mi_kind_t = MI_B + 1' 'visit: mi_visit_fun' 'commit_fun: mi_commit_fun_t, id: \*mut mi_arena_id_t, arg3: c_ulong' 'r#type: c_ulonglong, names: \*const \*const c_char' \
    'fn mi_heap_new() -> \*mut mi_heap_t'; do
    grep -q "$line" "$scratch/bindings.rs" || { cat "$scratch/bindings.rs"; fail "no $line"; }
done
