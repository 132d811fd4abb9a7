/* SPDX-License-Identifier: MIT */
/* A worker's words about a library, turned into rows of the indicator table. They are input: every
 * field is checked, lengths and counts too. */
#include "supervisor/config/libraries.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "proto/spec.h"
#include "shm/expr.h"
#include "shm/indicator/indicator.h"
#include "supervisor/config/ask.h"

#define INDICATORS_MAX 256
#define TEXT_BYTES_MAX 1024

struct library {
    char path[SPEC_PATH_BYTES];
    uint64_t hash[2];
    json_t *answer; /* owns every text of the rows */
    struct indicator *rows;
    struct library_info info;
};

static struct library *known[SPEC_LIBRARIES_MAX];
static size_t known_n;

static struct library *find(const char *path)
{
    for (size_t i = 0; i < known_n; i++)
        if (strcmp(known[i]->path, path) == 0)
            return known[i];
    return NULL;
}

const struct library_info *library_find(const char *path)
{
    const struct library *l = find(path);
    return l ? &l->info : NULL;
}

/* ---- the file ------------------------------------------------------------------------------- */

/* 0, or an errno. */
static int hash_of_fd(int fd, uint64_t ret_hash[2])
{
    uint8_t chunk[65536];
    XXH3_state_t *state = XXH3_createState();
    ssize_t n = -1;
    if (!state || XXH3_128bits_reset(state) != XXH_OK)
        errno = ENOMEM;
    else
        while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
            if (n > 0)
                (void)XXH3_128bits_update(state, chunk, (size_t)n); /* fails on NULL alone */
    int why = n < 0 ? errno : 0;
    if (why == 0) {
        XXH128_hash_t hash = XXH3_128bits_digest(state);
        ret_hash[0] = hash.high64;
        ret_hash[1] = hash.low64;
    }
    XXH3_freeState(state);
    return why;
}

/* A pipe or a device is opened without waiting, and refused. */
static int hash_of_file(const char *path, uint64_t ret_hash[2], struct err *err)
{
    char shown[512];
    struct stat st;
    err_printable(path, shown, sizeof shown);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return err_set_errno(err, ERR_NO_INPUT, why, "plugin %s", shown);
    }
    bool is_file = S_ISREG(st.st_mode) && st.st_size > 0;
    int why = is_file ? hash_of_fd(fd, ret_hash) : 0;
    close(fd);
    if (!is_file)
        return err_set(err, ERR_NO_INPUT,
                       "plugin %s is not a file with content: name a shared object, as in "
                       "[./mine.so]",
                       shown);
    return why ? err_set_errno(err, ERR_NO_INPUT, why, "plugin %s", shown) : 0;
}

/* ---- fields --------------------------------------------------------------------------------- */

/* NULL where it is not a text of a bearable length. */
static const char *text_of(const json_t *object, const char *field)
{
    const json_t *v = json_object_get(object, field);
    const char *text = json_string_value(v);
    return text && json_string_length(v) < TEXT_BYTES_MAX && strlen(text) == json_string_length(v)
               ? text
               : NULL;
}

static bool is_name(const char *text)
{
    if (!text || !islower((unsigned char)*text) || strlen(text) >= SPEC_NAME_BYTES)
        return false;
    for (; *text; text++)
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '_')
            return false;
    return true;
}

static bool take_params(const json_t *object, struct indicator *row)
{
    const json_t *list = json_object_get(object, "params");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > INDICATOR_PARAMS_MAX)
        return false;
    row->params_n = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        struct indicator_param *p = &row->params[i];
        p->name = text_of(v, "name");
        p->minimum = json_number_value(json_object_get(v, "minimum"));
        p->maximum = json_number_value(json_object_get(v, "maximum"));
        p->is_whole = json_is_true(json_object_get(v, "whole"));
        if (!is_name(p->name) || !(p->minimum <= p->maximum) || !isfinite(p->minimum) ||
            !isfinite(p->maximum))
            return false;
    }
    return true;
}

static bool take_outputs(const json_t *object, struct indicator *row)
{
    const json_t *list = json_object_get(object, "outputs");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n < 1 || n > INDICATOR_OUTPUTS_MAX)
        return false;
    row->outputs_n = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        row->outputs[i] = json_string_value(json_array_get(list, i));
        if (!is_name(row->outputs[i]))
            return false;
    }
    return true;
}

static bool take_class(const json_t *object, struct indicator *row)
{
    const char *name = text_of(object, "class");
    for (int cls = CLASS_STATELESS; name && cls <= CLASS_RECURSIVE; cls++) {
        row->cls = (enum indicator_class)cls;
        if (strcmp(indicator_class_name(row->cls), name) == 0)
            return true;
    }
    return false;
}

static bool parses(const char *text)
{
    struct err ignored = {0};
    struct expr *expr;
    if (!text || expr_parse(text, &expr, &ignored) < 0)
        return false;
    expr_destroy(expr);
    return true;
}

/* Expressions parted by blanks; their number, -1 where one cannot be read. */
static int implied_n(const char *implied)
{
    char text[TEXT_BYTES_MAX];
    char *rest = text;
    int n = 0;
    (void)snprintf(text, sizeof text, "%s", implied ? implied : "");
    for (char *word; (word = strtok_r(rest, " ", &rest)); n++)
        if (!parses(word))
            return -1;
    return n;
}

static bool take_row(const json_t *v, const char *path, struct indicator *row)
{
    int64_t series = json_integer_value(json_object_get(v, "series"));
    const char *implied = text_of(v, "implied");
    *row = (struct indicator){
        .name = text_of(v, "name"),
        .implied = implied && *implied ? implied : NULL,
        .warm_up_text = text_of(v, "warm_up"),
        .formula = text_of(v, "formula"),
        .source = text_of(v, "source"),
        .library = path,
        .uses_time = true,
    };
    if (!is_name(row->name) || !implied || !row->formula || !row->source || series < 0 ||
        series > INDICATOR_INPUTS_MAX || !parses(row->warm_up_text))
        return false;
    int64_t inputs = series + implied_n(row->implied);
    if (implied_n(row->implied) < 0 || inputs < 1 || inputs > INDICATOR_INPUTS_MAX)
        return false;
    row->series_args_n = (unsigned)series;
    return take_class(v, row) && take_params(v, row) && take_outputs(v, row);
}

/* ---- taking --------------------------------------------------------------------------------- */

static int refuse(const struct library *l, const char *what, struct err *err)
{
    char path[512];
    return err_set(err, ERR_CONFIG, "plugin %s: %s", err_printable(l->path, path, sizeof path),
                   what);
}

static int take_rows(struct library *l, const json_t *said, struct err *err)
{
    char what[256];
    const json_t *list = json_object_get(said, "indicators");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > INDICATORS_MAX || !text_of(said, "name") ||
        !text_of(said, "version"))
        return refuse(l, "the worker's description of it cannot be read", err);
    l->rows = calloc(n + 1, sizeof *l->rows);
    if (!l->rows)
        return err_set(err, ERR_SYSTEM, "out of memory for a plugin");
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(what, sizeof what, "the description of its indicator %zu is not whole", i);
        if (!take_row(json_array_get(list, i), l->path, &l->rows[i]))
            return refuse(l, what, err);
        const struct indicator *other = indicator_find(l->rows[i].name);
        if (other) {
            char where[128];
            (void)snprintf(
                what, sizeof what, "there is an indicator %.64s already%s%s: rename its own",
                l->rows[i].name, other->library ? ", in " : "",
                other->library ? err_printable(other->library, where, sizeof where) : "");
            return refuse(l, what, err);
        }
    }
    l->info = (struct library_info){text_of(said, "name"), text_of(said, "version"), n, l->rows};
    return indicator_register(l->rows, n) < 0
               ? err_set(err, ERR_SYSTEM, "out of memory for a plugin")
               : 0;
}

static int take_answer(struct library *l, const struct buf *answer, struct err *err)
{
    char shown[480];
    l->answer =
        json_loadb(answer->data ? answer->data : "", answer->n_bytes, JSON_REJECT_DUPLICATES, NULL);
    const json_t *libraries = json_object_get(l->answer, "libraries");
    const json_t *said = json_array_get(libraries, 0);
    if (json_array_size(libraries) != 1 || !json_is_object(said))
        return refuse(l, "the worker did not describe it", err);
    const char *error = text_of(said, "error");
    if (error)
        return err_set(err, ERR_CONFIG, "%s", err_printable(error, shown, sizeof shown));
    return take_rows(l, said, err);
}

static void library_destroy(struct library *l)
{
    json_decref(l->answer);
    free(l->rows);
    free(l);
}

static int describe(const struct library_ref *ref, const char *worker_path, struct err *err)
{
    char shown[512];
    struct buf answer = {0};
    struct library *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_SYSTEM, "out of memory for a plugin");
    memcpy(l->path, ref->path, sizeof l->path);
    memcpy(l->hash, ref->hash, sizeof l->hash);
    const char *const paths[] = {l->path};
    int r = ask_worker(worker_path, paths, 1, &answer, err);
    if (r < 0)
        err_prefix(err, "plugin %.400s", err_printable(l->path, shown, sizeof shown));
    if (r == 0)
        r = take_answer(l, &answer, err);
    buf_fini(&answer);
    if (r < 0)
        library_destroy(l);
    else
        known[known_n++] = l;
    return r;
}

int library_take(struct library_ref *ref, const char *worker_path, struct err *err)
{
    int r = hash_of_file(ref->path, ref->hash, err);
    if (r < 0)
        return r;
    const struct library *before = find(ref->path);
    if (before)
        return memcmp(before->hash, ref->hash, sizeof ref->hash) == 0
                   ? 0
                   : refuse(before, "it was changed while it was in use", err);
    if (known_n == SPEC_LIBRARIES_MAX)
        return err_set(err, ERR_CONFIG, "more than %d plugins", SPEC_LIBRARIES_MAX);
    return describe(ref, worker_path, err);
}
