/* SPDX-License-Identifier: MIT */
/* Bytes of a file, unpacked on the way. What a file is, its first bytes say, and not its name. */
#include "supervisor/import/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define PACKED_BYTES (256u << 10)

enum packing { PLAIN, GZIP, ZSTD };

struct source {
    int fd;
    bool is_eof;       /* of the file */
    bool is_in_stream; /* a packed stream has begun and not ended */
    enum packing packing;
    z_stream gz;
    ZSTD_DStream *zstd;
    size_t start, end; /* of what is in `in` and not used yet */
    char name[256];
    uint8_t in[PACKED_BYTES];
};

static int fill(struct source *s, struct err *err)
{
    s->start = s->end = 0;
    while (!s->is_eof) {
        ssize_t n = read(s->fd, s->in, sizeof s->in);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno == EISDIR ? ERR_NO_INPUT : ERR_IO, errno,
                                 "cannot read %s", s->name);
        s->is_eof = n == 0;
        s->end = (size_t)n;
        break;
    }
    return 0;
}

/* The magic bytes may come in pieces from a pipe. */
static int fill_magic(struct source *s, struct err *err)
{
    while (!s->is_eof && s->end < 4) {
        ssize_t n = read(s->fd, s->in + s->end, sizeof s->in - s->end);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno == EISDIR ? ERR_NO_INPUT : ERR_IO, errno,
                                 "cannot read %s", s->name);
        s->is_eof = n == 0;
        s->end += (size_t)n;
    }
    return 0;
}

static int start_unpacking(struct source *s, struct err *err)
{
    static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    bool is_ready = true;
    if (s->end >= 2 && s->in[0] == 0x1f && s->in[1] == 0x8b) {
        s->packing = GZIP;
        is_ready = inflateInit2(&s->gz, 15 + 16) == Z_OK;
    } else if (s->end >= 4 && memcmp(s->in, zstd_magic, 4) == 0) {
        s->packing = ZSTD;
        s->zstd = ZSTD_createDStream();
        is_ready = s->zstd && !ZSTD_isError(ZSTD_initDStream(s->zstd));
    }
    s->is_in_stream = s->packing != PLAIN;
    return is_ready ? 0 : err_set(err, ERR_SYSTEM, "out of memory to unpack %s", s->name);
}

static int open_fd(struct source *s, const char *path, struct err *err)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        s->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->fd < 0)
        return err_set_errno(err, errno == EMFILE ? ERR_SYSTEM : ERR_NO_INPUT, errno,
                             "cannot open %s", s->name);
    if (fstat(s->fd, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_NO_INPUT, "%s is a directory; name a CSV file", s->name);
    return 0;
}

int source_open(const char *path, struct source **ret_source, struct err *err)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_SYSTEM, "out of memory");
    s->fd = -1;
    if (strcmp(path, "-") == 0)
        snprintf(s->name, sizeof s->name, "standard input");
    else
        err_printable(path, s->name, sizeof s->name);
    int rc = open_fd(s, path, err);
    if (rc == 0)
        rc = fill_magic(s, err);
    if (rc == 0)
        rc = start_unpacking(s, err);
    if (rc != 0) {
        source_close(s);
        return rc;
    }
    *ret_source = s;
    return 0;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    if (source->packing == GZIP)
        (void)inflateEnd(&source->gz);
    ZSTD_freeDStream(source->zstd);
    if (source->fd >= 0)
        (void)close(source->fd); /* it was only read */
    free(source);
}

/* ---- reading -------------------------------------------------------------------------------- */

static int broken(const struct source *s, const char *what, struct err *err)
{
    return err_set(err, ERR_DATA, "%s: the %s data is damaged: %s", s->name,
                   s->packing == GZIP ? "gzip" : "Zstandard", what);
}

static size_t take(struct source *s, char *out, size_t n_bytes)
{
    size_t n = s->end - s->start < n_bytes ? s->end - s->start : n_bytes;
    memcpy(out, s->in + s->start, n);
    s->start += n;
    return n;
}

/* Another stream may follow the one that has ended. */
static int gunzip_next(struct source *s, struct err *err)
{
    if (s->in[s->start] != 0x1f)
        return broken(s, "other bytes follow its end", err);
    s->is_in_stream = inflateReset(&s->gz) == Z_OK;
    return s->is_in_stream ? 0 : broken(s, "it cannot be begun", err);
}

static int gunzip(struct source *s, char *out, size_t n_bytes, size_t *ret_bytes, struct err *err)
{
    if (!s->is_in_stream) {
        int rc = gunzip_next(s, err);
        if (rc != 0)
            return rc;
    }
    s->gz.next_in = s->in + s->start;
    s->gz.avail_in = (uInt)(s->end - s->start);
    s->gz.next_out = (Bytef *)out;
    s->gz.avail_out = (uInt)n_bytes;
    int rc = inflate(&s->gz, Z_NO_FLUSH);
    s->start = s->end - s->gz.avail_in;
    *ret_bytes = n_bytes - s->gz.avail_out;
    if (rc == Z_STREAM_END)
        s->is_in_stream = false;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return broken(s, s->gz.msg ? s->gz.msg : "it cannot be unpacked", err);
    return 0;
}

static int unzstd(struct source *s, char *out, size_t n_bytes, size_t *ret_bytes, struct err *err)
{
    ZSTD_inBuffer in = {s->in, s->end, s->start};
    ZSTD_outBuffer to = {out, n_bytes, 0};
    size_t rc = ZSTD_decompressStream(s->zstd, &to, &in);
    s->start = in.pos;
    *ret_bytes = to.pos;
    if (ZSTD_isError(rc))
        return broken(s, ZSTD_getErrorName(rc), err);
    s->is_in_stream = rc != 0;
    return 0;
}

int source_read(struct source *s, char *out, size_t n_bytes, size_t *ret_bytes, struct err *err)
{
    size_t n = 0;
    int rc = 0;
    if (n_bytes > UINT32_MAX)
        n_bytes = UINT32_MAX;
    while (rc == 0 && n == 0) {
        if (s->start == s->end && !s->is_eof)
            rc = fill(s, err);
        bool is_empty = s->start == s->end;
        if (rc != 0 || (is_empty && !s->is_eof))
            continue;
        if (is_empty && !s->is_in_stream)
            break;
        size_t before = s->start;
        if (s->packing == PLAIN)
            n = take(s, out, n_bytes);
        else if (s->packing == GZIP)
            rc = gunzip(s, out, n_bytes, &n, err);
        else
            rc = unzstd(s, out, n_bytes, &n, err);
        if (rc == 0 && n == 0 && is_empty && s->start == before) {
            if (s->is_in_stream)
                rc = broken(s, "it ends too early", err);
            break;
        }
    }
    if (rc == 0)
        *ret_bytes = n;
    return rc;
}
