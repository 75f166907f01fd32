// SPDX-License-Identifier: MIT
// verbs.h — what the command does, one function each: `argv[0]` is the verb.
#ifndef MI_TOOL_VERBS_H
#define MI_TOOL_VERBS_H

typedef int verb_fun_t(int argc, char **argv);

verb_fun_t verb_run, verb_doctor, verb_top, verb_map, verb_metrics, verb_compare, verb_profile, verb_leaks,
    verb_diff, verb_explain;

#endif
