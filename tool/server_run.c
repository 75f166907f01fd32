// SPDX-License-Identifier: MIT
// server_run.c — readiness by a connection, a load by the shell, memory by the system's table.
#include "server_run.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum { READY_SECONDS = 30, END_SECONDS = 10, PAUSE_NS = 20000000, HOST_MAX = 256 };

typedef struct address_t {
    char host[HOST_MAX];
    char port[16];
    const char *path; // NULL: a connection is enough
} address_t;

static bool
read_address(const char *ready, address_t *address)
{
    static const char scheme[] = "http://";
    *address = (address_t){.host = "127.0.0.1"};
    if (ready[strspn(ready, "0123456789")] == 0) {
        snprintf(address->port, sizeof address->port, "%s", ready);
        return *ready != 0 && strtoul(ready, NULL, 10) < 65536;
    }
    if (strncmp(ready, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *host = ready + sizeof scheme - 1;
    size_t length = strcspn(host, ":/");
    const char *port = host[length] == ':' ? host + length + 1 : "80";
    size_t digits = strspn(port, "0123456789");
    const char *path = strchr(host, '/');
    address->path = path == NULL ? "/" : path;
    snprintf(address->host, sizeof address->host, "%.*s", (int)length, host);
    snprintf(address->port, sizeof address->port, "%.*s", (int)digits, port);
    return length > 0 && length < HOST_MAX && digits > 0 && digits < 6;
}

static bool
answers(int connection, const address_t *address)
{
    char line[16] = "";
    char *request =
        format_new("GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", address->path, address->host);
    struct timeval patience = {.tv_sec = 1};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool sent = send(connection, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request);
    free(request);
    // "HTTP/1.1 200": a status below 400 is fine.
    return sent && recv(connection, line, 12, MSG_WAITALL) == 12 && strncmp(line, "HTTP/", 5) == 0 &&
           (line[9] == '2' || line[9] == '3');
}

static bool
is_ready(const address_t *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool ready = false;
    if (getaddrinfo(address->host, address->port, &hints, &found) != 0) {
        return false;
    }
    for (const struct addrinfo *at = found; at != NULL && !ready; at = at->ai_next) {
        int connection = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connection >= 0) {
            ready = connect(connection, at->ai_addr, at->ai_addrlen) == 0 &&
                    (address->path == NULL || answers(connection, address));
            close(connection);
        }
    }
    freeaddrinfo(found);
    return ready;
}

void
server_check(const server_load_t *load)
{
    address_t address;
    if ((load->ready == NULL) != (load->load == NULL)) {
        fail(EXIT_USAGE,
             "--ready and --load belong together: when the server is ready, and what it is to do");
    }
    if (load->ready == NULL) {
        return;
    }
    if (!read_address(load->ready, &address)) {
        fail(EXIT_USAGE, "--ready=%s: a port or http://host:port/path is wanted", load->ready);
    }
    if (is_ready(&address)) {
        fail(EXIT_FAILED, "--ready=%s: somebody answers there already; end that server first", load->ready);
    }
}

static double
now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool
has_ended(pid_t server)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)server, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == server;
}

static _Noreturn void
give_up(pid_t server, const char *what, const char *name)
{
    kill(server, SIGKILL);
    fail(EXIT_FAILED, "under %s %s", name, what);
}

static double
memory_of(pid_t server)
{
    char path[64];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)server);
    FILE *file = fopen(path, "re");
    if (file != NULL && fscanf(file, "%*u %lu", &pages) != 1) {
        pages = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

server_figures_t
server_run(pid_t server, const server_load_t *load, const char *name)
{
    address_t address;
    (void)read_address(load->ready, &address);
    double begun = now();
    while (!is_ready(&address)) {
        if (has_ended(server)) {
            give_up(server, "the server ended before it was ready", name);
        }
        if (now() - begun > READY_SECONDS) {
            give_up(server, "the server was not ready within 30 seconds", name);
        }
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    begun = now();
    char *command = format_new("exec </dev/null >/dev/null; %s", load->load);
    int status = system(command); // NOLINT(cert-env33-c): the user's own
    free(command);
    server_figures_t figures = {.seconds = now() - begun, .final = memory_of(server)};
    if (status != 0) {
        give_up(server, "the load failed: --load must end with status 0", name);
    }
    if (has_ended(server)) {
        give_up(server, "the server ended during the load", name);
    }
    kill(server, SIGTERM);
    for (begun = now(); !has_ended(server) && now() - begun < END_SECONDS;) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    kill(server, SIGKILL);
    return figures;
}
