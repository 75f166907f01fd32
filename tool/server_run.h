// SPDX-License-Identifier: MIT
// server_run.h — a run of a server: until it is ready, under a load, and then to its end by SIGTERM.
#ifndef MI_TOOL_SERVER_RUN_H
#define MI_TOOL_SERVER_RUN_H

#include <sys/types.h>

typedef struct server_load_t {
    const char *ready; // a port of this machine, or an http:// address that answers; NULL: it is no server
    const char *load;  // a command of the shell, whose time is measured
} server_load_t;

typedef struct server_figures_t {
    double seconds; // of the load
    double final;   // MiB of the server behind it
} server_figures_t;

// `name`: what the server runs under, for errors, which end the tool and the server.
server_figures_t server_run(pid_t server, const server_load_t *load, const char *name);

// Ends the tool where `ready` is no address.
void server_check(const server_load_t *load);

#endif
