// SPDX-License-Identifier: MIT
// test_rust_names.c — names as rustfilt prints them, and damaged ones. tests/tool has a whole program.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tool/rust_names.h"

static const char *const names[][2] = {
    {"_RNvCs1_1a4main", "a::main"},
    {"_RNvCs1_1a4main.llvm.123", "a::main"},
    {"_RNvCs1_1au8gdel_5qa", "a::gödel"},
    {"_RINvNtCs6xxl1lAjzDf_1a5cache3arrKj7_EB4_", "a::cache::arr::<7>"},
    {"_RNCNvNtNtCsjrHSEGnQ3l9_3std3sys9backtrace10__print_fmts_0B7_",
     "std::sys::backtrace::_print_fmt::{closure#1}"},
    {"_RINvNtCs8NwYtU1Mohg_4core3ptr9drop_glueINtNtCsbEht8wFNRx7_5alloc5boxed3BoxDNtNtB4_3any3AnyNtNtB4_"
     "6marker4SendEL_EECs3QvkDaNtmvS_7stacker",
     "core::ptr::drop_glue::<alloc::boxed::Box<dyn core::any::Any + core::marker::Send>>"},
    {"_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVecTOhFUKCBN_EuENtNtCsjrHSEGnQ3l9_3std5alloc6SystemE"
     "8grow_oneB13_",
     "<alloc::raw_vec::RawVec<(*mut u8, unsafe extern \"C\" fn(*mut u8)), std::alloc::System>>::grow_one"},
    {"_RINvNtCs8NwYtU1Mohg_4core9panicking13assert_failedPuBM_ECsdVlYlcEixFp_9dyn_clone",
     "core::panicking::assert_failed::<*const (), *const ()>"},
    {"_RNvXs1h_NtCsgEmfK2I1SDS_4core3fmtQShNtB6_5Debug3fmtCsgY6Mt91CT9J_14rustc_demangle",
     "<&mut [u8] as core::fmt::Debug>::fmt"},
    {"_RNSNvYNCINvNtCsjrHSEGnQ3l9_3std2rt10lang_startuE0INtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceuE"
     "9call_once6vtableCs6xxl1lAjzDf_1a",
     "<std::rt::lang_start<()>::{closure#0} as core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}"},
    {"_RINvMs_NtCs1ZVfQdTwIpf_5regex8buildersNtB5_7Builder3newARej1_BS_EB7_",
     "<regex::builders::Builder>::new::<[&str; 1], &str>"},
    {"_RINvCs1_1a1fKc41_Kc3b1_Kb1_Kln5_Kh7b_Ko123456789abcdef01_EB2_",
     "a::f::<'A', 'α', true, -5, 123, 0x123456789abcdef01>"},
    {"_RINvCs1_1a1fFG0_RL0_hRL_tEuEB2_", "a::f::<for<'a, 'b> fn(&'b u8, &u16)>"},
};

static void
test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *name = rust_demangle(names[i][0]);
        assert_non_null(name);
        assert_string_equal(name, names[i][1]);
        free(name);
    }
}

static void
test_others(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "_",
                                         "_R",
                                         "_RX",
                                         "_R0",
                                         "malloc",
                                         "_ZN3foo3barE",
                                         "_Rust",
                                         "_RB_",
                                         "_RNvB_1a",
                                         "_RNvCs1_1a4mainZ",
                                         "_RNvCs1_1a99999999999999999999main",
                                         "_RINvCs1_1a1fKb2_E",
                                         "_RINvCs1_1a1fL5_E"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_null(rust_demangle(others[i]));
    }
}

// What is cut off or changed is another name or none, and never costs much: names may refer to themselves.
static void
test_damaged(void **state)
{
    (void)state;
    static const char letters[] = "BIMNXYTEFDSAKLGs_0123459azuv";
    uint32_t random = 1;
    for (unsigned turn = 0; turn < 200000; turn++) {
        char damaged[400];
        strcpy(damaged, names[turn % (sizeof names / sizeof names[0])][0]);
        size_t length = strlen(damaged);
        for (unsigned i = 0; i < 1 + turn % 5; i++) {
            random = random * 1664525 + 1013904223;
            damaged[2 + (random >> 8) % (length - 2)] = letters[(random >> 3) % (sizeof letters - 1)];
        }
        damaged[turn % 3 == 0 ? (random >> 5) % length : length] = 0;
        free(rust_demangle(damaged));
    }
    char nested[4000] = "_RNvMINvCs1_1a1f";
    while (strlen(nested) < sizeof nested - 40) {
        strcat(nested, "TB0_B0_B0_B0_"); // each refers to all before it
    }
    assert_null(rust_demangle(nested));
}

static void
test_older_names(void **state)
{
    (void)state;
    static const char *const older[][2] = {
        {"_$LT$u8$u20$as$u20$alloc..vec..spec_from_elem..SpecFromElem$GT$::from_elem::h0123456789abcdef",
         "<u8 as alloc::vec::spec_from_elem::SpecFromElem>::from_elem"},
        {"svc::main::_$u7b$$u7b$closure$u7d$$u7d$::h0123456789abcdef", "svc::main::{{closure}}"},
        {"core::ptr::drop_in_place$LT$$RF$mut$u20$$LP$u8$C$u8$RP$$GT$::h0123456789abcdef",
         "core::ptr::drop_in_place<&mut (u8,u8)>"},
        {"no::$LT$hash$GT$", "no::$LT$hash$GT$"},
        {"short::h12", "short::h12"},
        {"a::$u7::b$::h0123456789abcdef", "a::$u7::b$"},
    };
    for (size_t i = 0; i < sizeof older / sizeof older[0]; i++) {
        char text[200];
        strcpy(text, older[i][0]);
        rust_unescape(text);
        assert_string_equal(text, older[i][1]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_older_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
