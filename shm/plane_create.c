/* SPDX-License-Identifier: MIT */
/* The plane's files: made, mapped for writing, filled, sealed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/units.h"
#include "shm/plane_internal.h"

#define POPULATE_LEAST (UINT64_C(2) << 20) /* a huge page */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* ---- one file ------------------------------------------------------------------------------- */

/* Pages are touched through the map first: there the kernel gives huge ones where it was asked for
 * them. fallocate decides, since its want of memory is an error and not a signal. */
int plane_reserve(int fd, uint8_t *base, uint64_t from, uint64_t bytes)
{
    int rc;
    if (bytes >= POPULATE_LEAST)
        (void)madvise(base + from, bytes, MADV_POPULATE_WRITE); /* not before Linux 5.14 */
    do
        rc = fallocate(fd, 0, (off_t)from, (off_t)bytes) < 0 ? -errno : 0;
    while (rc == -EINTR);
    return rc;
}

/* A memory file of that size, without memory yet, and a map that can write. */
static int make_file(const char *name, uint64_t bytes, int *ret_fd, uint8_t **ret_base)
{
    if (bytes > INT64_MAX || bytes > SIZE_MAX)
        return -EFBIG;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int rc = ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;
    void *base = MAP_FAILED;
    if (rc == 0) {
        base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rc = base == MAP_FAILED ? -errno : 0;
    }
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    (void)madvise(base, bytes, MADV_HUGEPAGE); /* it is as right without, a little slower */
    *ret_fd = fd;
    *ret_base = base;
    return 0;
}

/* The read-only descriptor that others get. */
static int seal_file(int fd, int *ret_fd)
{
    char path[40];
    if (fcntl(fd, F_ADD_SEALS, PLANE_SEALS) < 0)
        return -errno;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int read_only = open(path, O_RDONLY | O_CLOEXEC);
    if (read_only < 0)
        return -errno;
    *ret_fd = read_only;
    return 0;
}

/* ---- core and extents ----------------------------------------------------------------------- */

static int refuse_size(struct err *err, int error, uint64_t bytes)
{
    char size[24];
    bytes_format(bytes, size, sizeof size);
    return err_set_errno(err, ERR_SYSTEM, error,
                         "the data plane takes %s, which cannot be had; run fewer parameter "
                         "values or bars at once",
                         size);
}

static int make_core(struct plane_writer *w, const struct plane_draft *d, struct err *err)
{
    uint64_t bytes = d->header.size_bytes;
    int fd = -1;
    int rc = make_file("admf-plane", bytes, &fd, &w->core);
    if (rc < 0)
        return refuse_size(err, rc, bytes);
    w->bytes.core = bytes;
    rc = plane_reserve(fd, w->core, 0, bytes);
    rc = rc < 0 ? refuse_size(err, rc, bytes) : plane_draft_write(d, w->core, err);
    if (rc == 0) {
        rc = seal_file(fd, &w->fds.core);
        if (rc < 0)
            rc = err_set_errno(err, ERR_SYSTEM, rc, "the data plane cannot be sealed");
    }
    (void)close(fd);
    return rc;
}

static int make_extents(struct plane_writer *w, struct err *err)
{
    for (uint32_t i = 0; i < w->extents_n; i++) {
        struct plane_extent *x = &w->extent[i];
        int rc = make_file("admf-series", w->extent_bytes, &x->fd, &x->base);
        if (rc < 0) {
            x->base = NULL;
            x->fd = -1;
            return refuse_size(err, rc, w->extent_bytes * w->extents_n);
        }
        rc = seal_file(x->fd, &w->fds.extent[i]);
        if (rc < 0)
            return err_set_errno(err, ERR_SYSTEM, rc, "the series' memory cannot be sealed");
        w->view.extent[i] = x->base;
    }
    return 0;
}

/* ---- the writer ----------------------------------------------------------------------------- */

static struct plane_writer *writer_alloc(struct plane_draft *d)
{
    struct plane_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    const struct plane_room room = plane_room_of(d->plan, d->clock_rows);
    w->extents_n = w->fds.extents_n = room.extents_n;
    w->extent_bytes = room.extent_bytes;
    w->budget_bytes = room.budget_bytes;
    w->largest_bytes = room.largest_bytes;
    w->series_n = d->plan->series_n;
    w->series_of_plan = d->series_of_plan;
    d->series_of_plan = NULL;
    w->spot = calloc((size_t)w->series_n + 1, sizeof *w->spot);
    w->fds.core = -1;
    for (uint32_t i = 0; i < PLANE_EXTENTS_MAX; i++)
        w->fds.extent[i] = w->extent[i].fd = -1;
    return w;
}

static int writer_fill(struct plane_writer *w, const struct plane_draft *d, struct err *err)
{
    int rc = make_core(w, d, err);
    if (rc == 0)
        rc = make_extents(w, err);
    if (rc < 0)
        return rc;
    const struct plane_header *h = &d->header;
    w->live = (struct plane_live *)(w->core + h->live_off);
    w->place = (struct plane_place *)(w->core + h->live_off + sizeof *w->live);
    rc = w->spot ? plane_gaps_init(w) : -ENOMEM;
    if (rc == 0)
        rc = plane_view_init(&w->view, w->core, h->size_bytes);
    return rc < 0 ? err_set_errno(err, ERR_SYSTEM, rc, "the data plane") : 0;
}

int plane_create(const struct plane_plan *plan, struct plane_writer **ret_writer, struct err *err)
{
    struct plane_draft d;
    int rc = plane_draft_make(plan, &d, err);
    if (rc < 0)
        return rc;
    struct plane_writer *w = writer_alloc(&d);
    rc = w ? writer_fill(w, &d, err) : err_set_errno(err, ERR_SYSTEM, ENOMEM, "the data plane");
    plane_draft_fini(&d);
    if (rc < 0) {
        plane_writer_destroy(w);
        return rc;
    }
    w->view.core_fd = w->fds.core;
    *ret_writer = w;
    return 0;
}

void plane_writer_destroy(struct plane_writer *w)
{
    if (!w)
        return;
    for (uint32_t i = 0; i < w->extents_n; i++) {
        if (w->extent[i].base)
            (void)munmap(w->extent[i].base, w->extent_bytes);
        if (w->extent[i].fd >= 0)
            (void)close(w->extent[i].fd);
        if (w->fds.extent[i] >= 0)
            (void)close(w->fds.extent[i]);
    }
    if (w->core)
        (void)munmap(w->core, w->bytes.core);
    if (w->fds.core >= 0)
        (void)close(w->fds.core);
    plane_view_fini(&w->view);
    free(w->series_of_plan);
    free(w->spot);
    free(w->gap_pool);
    free(w);
}

const struct plane *plane_writer_view(const struct plane_writer *w)
{
    return &w->view;
}

const struct plane_fds *plane_writer_fds(const struct plane_writer *w)
{
    return &w->fds;
}

struct plane_writer_bytes plane_writer_bytes(const struct plane_writer *w)
{
    return w->bytes;
}
