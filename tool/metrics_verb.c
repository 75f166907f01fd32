// SPDX-License-Identifier: MIT
// metrics_verb.c — mimalloc metrics: a process's figures as OpenMetrics, once or by HTTP. The text is the
// library's own (src/front/metrics.c).
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "arguments.h"
#include "front/metrics.h"
#include "front/report.h"
#include "model.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc metrics [OPTIONS] PID|CORE\n"
    "Prints the figures of a process's heap as OpenMetrics text; the process does not notice.\n\n"
    "  -c, --classes             by size class, too\n"
    "  -l, --listen=ADDRESS:PORT serve them by HTTP until the process ends; ADDRESS is 127.0.0.1 unless "
    "given\n"
    "      --json                as JSON\n"
    "  -h, --help\n\n"
    "Exit status: 0 done; 1 there is no such process, no right to read it, or no libmimalloc in it; 2 wrong "
    "use.\n\n"
    "Examples:\n"
    "  mimalloc metrics $(pidof redis-server)\n"
    "  mimalloc metrics --listen 9464 1234 &  curl http://127.0.0.1:9464/metrics\n";

// What src/front/metrics.c hands its text to.
void
mi__report_send(report_output_t *output, void *arg, const char *chars, size_t length)
{
    (void)output;
    fwrite(chars, 1, length, arg);
}

// What the walk from outside cannot know comes from the live page: of now, if the process answers, else of
// its last count.
static mi_figures_t
figures_of(const model_t *model)
{
    mi_live_t live;
    uint64_t address;
    mi_figures_t figures;
    memset(&figures, 0xff, sizeof figures); // UINT64_MAX: not known
    if (model_ask(model, MI_LIVE_REFRESH, &live) || (model_live(model, &live, &address) && live.pid != 0)) {
        figures = live.figures;
    }
    const class_model_t *total = &model->total;
    figures.allocated_bytes = total->live_bytes;
    figures.allocated_blocks = total->live;
    figures.active_bytes = total->page_bytes;
    figures.pages = total->pages;
    figures.orphaned_pages = model->orphaned_pages;
    figures.resident_bytes = model->resident_bytes;
    figures.committed_bytes = model->committed_bytes;
    figures.retained_bytes = model->reserved_bytes;
    figures.purgeable_bytes = model->purgeable_bytes;
    figures.threads = model->threads;
    figures.heaps = model->heaps;
    figures.allocation_count = total->allocated;
    figures.allocation_bytes = model->allocated_bytes;
    figures.free_count = total->allocated > total->live ? total->allocated - total->live : 0;
    return figures;
}

static void
put_known(json_t *json, const char *name, uint64_t value)
{
    if (value == UINT64_MAX) {
        json_text(json, name, NULL);
    } else {
        json_number(json, name, value);
    }
}

static void
print_json(FILE *to, const mi_figures_t *figures)
{
    json_t json = {.to = to};
    json_begin(&json, NULL, '{');
#define PUT(field) put_known(&json, #field, figures->field)
    PUT(allocated_bytes);
    PUT(allocated_blocks);
    PUT(peak_allocated_bytes);
    PUT(active_bytes);
    PUT(pages);
    PUT(orphaned_pages);
    PUT(resident_bytes);
    PUT(committed_bytes);
    PUT(retained_bytes);
    PUT(purgeable_bytes);
    PUT(metadata_bytes);
    PUT(threads);
    PUT(heaps);
    PUT(allocation_count);
    PUT(allocation_bytes);
    PUT(free_count);
    PUT(purged_bytes);
    PUT(reserve_call_count);
    PUT(commit_call_count);
    PUT(purge_call_count);
    PUT(double_free_count);
    PUT(invalid_free_count);
    PUT(other_misuse_count);
    PUT(failed_allocation_count);
#undef PUT
    json_end(&json, '}');
}

static void
print(const char *name, bool classes, bool as_json, FILE *to)
{
    target_t *target = target_open(name);
    model_t *model = model_read(target, false);
    mi_figures_t figures = figures_of(model);
    census_class_t rows[CLASS_COUNT + 1] = {0};
    if (model->layout.class_count != CLASS_COUNT) {
        classes = false;
    }
    for (unsigned i = 0; classes && i <= CLASS_COUNT; i++) {
        rows[i] = (census_class_t){.block_size = i < CLASS_COUNT ? sizeclass_block_size(i) : 0,
                                   .pages = model->classes[i].pages,
                                   .live_bytes = model->classes[i].live_bytes,
                                   .page_bytes = model->classes[i].page_bytes};
    }
    if (as_json) {
        print_json(to, &figures);
    } else {
        mi__metrics_print(&figures, classes ? rows : NULL, NULL, to);
    }
    model_free(model);
    target_close(target);
}

// ---- by HTTP

static int
listen_at(const char *where)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(where, ':');
    char *host = format_new("%.*s", colon == NULL ? 0 : (int)(colon - where), where);
    char *end;
    unsigned long port = strtoul(colon == NULL ? where : colon + 1, &end, 10);
    if (*end != 0 || port == 0 || port > UINT16_MAX ||
        (*host != 0 && inet_pton(AF_INET, host, &address.sin_addr) != 1)) {
        fail(EXIT_USAGE, "--listen=%s: a port is wanted, or ADDRESS:PORT with an address of numbers", where);
    }
    free(host);
    address.sin_port = htons((uint16_t)port);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (listening < 0 || setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 16) != 0) {
        fail(EXIT_FAILED, "cannot listen at %s: %s", where, strerror(errno));
    }
    return listening;
}

static void
answer(int connection, const char *name, bool classes, bool as_json)
{
    char request[4096];
    char *text;
    size_t length;
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof(struct timeval));
    ssize_t got = recv(connection, request, sizeof request - 1, 0);
    request[got > 0 ? got : 0] = 0;
    FILE *to = fdopen(connection, "w");
    if (to == NULL) {
        close(connection);
        return;
    }
    if (strncmp(request, "GET / ", 6) != 0 && strncmp(request, "GET /metrics ", 13) != 0) {
        fputs("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", to);
    } else {
        FILE *body = open_memstream(&text, &length);
        print(name, classes, as_json, body);
        fclose(body);
        fprintf(to, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                as_json ? "application/json" : "application/openmetrics-text; version=1.0.0; charset=utf-8",
                length);
        fwrite(text, 1, length, to);
        free(text);
    }
    fclose(to);
}

int
verb_metrics(int argc, char **argv)
{
    const char *where = NULL;
    bool classes = false;
    bool as_json = false;
    const argument_t table[] = {{"classes", 'c', no_argument, .flag = &classes},
                                {"listen", 'l', required_argument, .text = &where},
                                {"json", 0, no_argument, .flag = &as_json}};
    const char *name =
        *arguments_read(argc, argv, &(arguments_t){help, table, 3, "one process or core file", 1, 1, NULL});
    if (where == NULL) {
        print(name, classes, as_json, stdout);
        return EXIT_DONE;
    }
    target_t *target = target_open(name);
    model_free(model_read(target, false));
    int listening = listen_at(where);
    signal(SIGPIPE, SIG_IGN);
    // So that the end of the process is seen without a visitor.
    setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 1}, sizeof(struct timeval));
    while (target_is_alive(target)) {
        int connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (connection >= 0) {
            answer(connection, name, classes, as_json);
        }
    }
    return EXIT_DONE;
}
