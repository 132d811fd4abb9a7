/* SPDX-License-Identifier: MIT */
/* The promise: a plane that was cut, flipped or forged is refused with an error, never a signal; a
 * word that changes while a reader lives leads it nowhere but to what it has mapped. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "tests/unit/plane_fixture.h"

static int sealed_copy(const void *bytes, size_t n_bytes, int seals)
{
    int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert(fd >= 0 && write(fd, bytes, n_bytes) == (ssize_t)n_bytes);
    cr_assert(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

#define SAMPLE_EXTENT_BYTES 4096 /* three series of 60 rows */

/* A core with an extent that it could have. */
static int open_core(int core, struct plane **ret_plane, struct err *err)
{
    static const uint8_t zeros[SAMPLE_EXTENT_BYTES];
    struct plane_fds fds = {.core = core, .extents_n = 1};
    fds.extent[0] = sealed_copy(zeros, sizeof zeros, ALL_SEALS);
    int rc = plane_open(&fds, ret_plane, err);
    (void)close(fds.extent[0]);
    return rc;
}

static int open_copy(const void *bytes, size_t n_bytes, struct err *err)
{
    struct plane untouched, *plane = &untouched;
    int fd = sealed_copy(bytes, n_bytes, ALL_SEALS);
    int rc = open_core(fd, &plane, err);
    (void)close(fd);
    if (rc == 0)
        plane_close(plane);
    else
        cr_assert(plane == &untouched, "the output is touched");
    return rc;
}

/* A private copy of a good plane's bytes. */
static uint8_t *copy_sample(size_t *ret_bytes)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);
    uint8_t *bytes = malloc(plane->size_bytes);
    cr_assert(bytes != NULL);
    memcpy(bytes, plane->base, plane->size_bytes);
    *ret_bytes = plane->size_bytes;
    plane_close(plane);
    plane_writer_destroy(w);
    return bytes;
}

Test(plane_hostile, flipped_byte_of_header_or_tables_is_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    size_t tables_end = ((struct plane_header *)bytes)->live_off;
    struct err err;

    cr_assert(open_copy(bytes, n, &err) == 0);
    for (size_t i = 0; i < tables_end; i++) {
        static const uint8_t masks[] = {0x01, 0x80, 0xff};
        for (size_t k = 0; k < COUNT_OF(masks); k++) {
            bytes[i] ^= masks[k];
            cr_assert(open_copy(bytes, n, &err) == -EBADMSG && err.kind == ERR_DATA, "byte %zu", i);
            bytes[i] ^= masks[k];
        }
    }
    free(bytes);
}

Test(plane_hostile, cut_or_longer_plane_is_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    struct err err;

    for (size_t cut = 0; cut < n; cut += cut < 2048 ? 1 : 509)
        cr_assert(open_copy(bytes, cut, &err) == -EBADMSG, "cut at %zu", cut);
    uint8_t *longer = calloc(1, n + 64);
    cr_assert(longer != NULL);
    memcpy(longer, bytes, n);
    cr_assert(open_copy(longer, n + 1, &err) == -EBADMSG);
    free(longer);
    free(bytes);
}

Test(plane_hostile, file_that_could_change_under_the_reader_is_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    static const int seals[] = {0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
                                F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL,
                                F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SEAL,
                                F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE};
    struct plane *plane = NULL;
    struct err err;

    for (size_t i = 0; i < COUNT_OF(seals); i++) {
        int fd = sealed_copy(bytes, n, seals[i]);
        cr_assert(open_core(fd, &plane, &err) == -EBADMSG && plane == NULL);
        (void)close(fd);
    }
    int fds[2];
    cr_assert(pipe(fds) == 0 && open_core(fds[0], &plane, &err) == -EBADMSG);
    cr_assert(open_core(-1, &plane, &err) == -EBADMSG);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    cr_assert(file >= 0 && open_core(file, &plane, &err) == -EBADMSG);
    free(bytes);
}

static void mend_checksums(uint8_t *bytes, size_t n)
{
    struct plane_header *h = (struct plane_header *)bytes;
    if (h->live_off <= n)
        h->tables_checksum = XXH3_64bits(bytes + h->symbols_off, h->live_off - h->symbols_off);
    h->header_checksum = XXH3_64bits(h, offsetof(struct plane_header, header_checksum));
}

#define HEADER_U64(field)                                                                          \
    {                                                                                              \
        "header." #field, offsetof(struct plane_header, field), 8                                  \
    }
#define HEADER_U32(field)                                                                          \
    {                                                                                              \
        "header." #field, offsetof(struct plane_header, field), 4                                  \
    }

/* A forger who computes checksums still cannot make the reader look outside. */
Test(plane_hostile, forged_offsets_and_counts_are_refused)
{
    static const struct {
        const char *field;
        size_t offset, bytes;
    } fields[] = {
        HEADER_U64(size_bytes),   HEADER_U64(merged_off), HEADER_U64(live_off),
        HEADER_U64(extent_bytes), HEADER_U32(steps_n),    HEADER_U32(first_step),
        HEADER_U32(symbols_n),    HEADER_U32(traded_n),   HEADER_U32(clocks_n),
        HEADER_U32(series_n),     HEADER_U32(extents_n),  HEADER_U32(alignments_n),
        HEADER_U32(version),
    };
    static const uint64_t values[] = {UINT64_MAX, UINT64_MAX - 63, UINT64_C(1) << 63, 1u << 31,
                                      4097,       0xfffffffe,      UINT64_C(1) << 40};
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    struct err err;

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            if (fields[i].bytes == 4 && (uint32_t)values[k] == 0)
                continue; /* some of them may be 0 */
            uint8_t *copy = malloc(n);
            cr_assert(copy != NULL);
            memcpy(copy, bytes, n);
            memcpy(copy + fields[i].offset, &values[k], fields[i].bytes);
            mend_checksums(copy, n);
            cr_assert(open_copy(copy, n, &err) == -EBADMSG, "%s = %llx", fields[i].field,
                      (unsigned long long)values[k]);
            free(copy);
        }
    }
    free(bytes);
}

/* Every 8-byte word of the tables, replaced by hostile values under right checksums: refused, or a
 * plane that can be read to its last value. */
Test(plane_hostile, forged_tables_are_refused_or_harmless)
{
    static const uint64_t values[] = {0, 1, 64, UINT64_MAX, UINT64_MAX - 63, UINT64_C(1) << 40};
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    const struct plane_header *h = (const struct plane_header *)bytes;

    for (size_t at = h->symbols_off; at + 8 <= h->names_off; at += 8) {
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            uint64_t kept;
            struct plane *plane;
            struct err err;
            memcpy(&kept, bytes + at, 8);
            memcpy(bytes + at, &values[k], 8);
            mend_checksums(bytes, n);
            int fd = sealed_copy(bytes, n, ALL_SEALS);
            if (open_core(fd, &plane, &err) == 0) {
                volatile double seen;
                for (uint32_t i = 0; i < plane->symbols_n; i++) {
                    for (uint32_t row = 0; row < plane->symbol[i].bars.rows_n; row++)
                        seen = plane->symbol[i].bars.close[row];
                    const double *x = plane_f64(plane, i, "forecast", NULL);
                    for (uint32_t row = 0; x && row < plane->clock[i].bars.rows_n; row++)
                        seen = x[row];
                    (void)plane_f64(plane, i, "sma(close,3)", NULL);
                }
                (void)seen;
                plane_close(plane);
            }
            (void)close(fd);
            memcpy(bytes + at, &kept, 8);
        }
    }
    mend_checksums(bytes, n);
    free(bytes);
}

Test(plane_hostile, clock_and_rows_that_do_not_match_are_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    const struct plane_header *h = (const struct plane_header *)bytes;
    struct plane_symbol *symbols = (struct plane_symbol *)(bytes + h->symbols_off);
    int32_t *row_of_step = (int32_t *)(bytes + symbols[0].row_of_step_off);
    int64_t *clock = (int64_t *)(bytes + h->merged_off);
    struct err err;

    row_of_step[5] = 6;
    cr_assert(open_copy(bytes, n, &err) == -EBADMSG);
    row_of_step[5] = -2;
    cr_assert(open_copy(bytes, n, &err) == -EBADMSG);
    row_of_step[5] = -1;
    cr_assert(open_copy(bytes, n, &err) == -EBADMSG);
    row_of_step[5] = 5;
    clock[5] = clock[4];
    cr_assert(open_copy(bytes, n, &err) == -EBADMSG);
    clock[5] = 5 * HOUR_NS;
    cr_assert(open_copy(bytes, n, &err) == 0, "%s", err.text);
    free(bytes);
}

/* ---- extents -------------------------------------------------------------------------------- */

Test(plane_hostile, extent_that_is_not_what_the_header_says_is_refused)
{
    static struct sample s;
    static const uint8_t zeros[2 * SAMPLE_EXTENT_BYTES];
    struct plane_writer *w = build_sample(&s);
    struct plane_fds fds = *plane_writer_fds(w);
    struct plane *plane = NULL;
    struct err err;
    static const struct {
        size_t bytes;
        int seals;
    } files[] = {{2 * SAMPLE_EXTENT_BYTES, ALL_SEALS},
                 {SAMPLE_EXTENT_BYTES / 2, ALL_SEALS},
                 {SAMPLE_EXTENT_BYTES, ALL_SEALS & ~F_SEAL_SHRINK},
                 {SAMPLE_EXTENT_BYTES, ALL_SEALS & ~F_SEAL_FUTURE_WRITE}};

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        fds.extent[0] = sealed_copy(zeros, files[i].bytes, files[i].seals);
        cr_assert(plane_open(&fds, &plane, &err) == -EBADMSG && plane == NULL, "%zu", i);
        (void)close(fds.extent[0]);
    }
    fds.extent[0] = -1;
    cr_assert(plane_open(&fds, &plane, &err) == -EBADMSG && plane == NULL);
    fds.extents_n = 0;
    cr_assert(plane_open(&fds, &plane, &err) == -EBADMSG && plane == NULL);
    plane_writer_destroy(w);
}

/* A core whose place words anybody may write, as a hostile writer would. */
Test(plane_hostile, place_that_leads_outside_is_not_there)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    const struct plane_header *h = (const struct plane_header *)bytes;
    int fd = memfd_create("core", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    uint8_t *map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert(map != MAP_FAILED && fcntl(fd, F_ADD_SEALS, ALL_SEALS) == 0);
    struct plane_place *place =
        (struct plane_place *)(map + h->live_off + sizeof(struct plane_live));
    struct plane *plane = NULL;
    struct err err;
    cr_assert(open_core(fd, &plane, &err) == 0, "%s", err.text);

    /* Row 1 of the table is sma(close,3) of A: 480 bytes of the 4096. */
    const uint64_t last = (SAMPLE_EXTENT_BYTES - 512) / SHM_ALIGN;
    const struct {
        uint64_t place;
        uint32_t first_defined;
        bool is_there;
    } words[] = {
        {0, 0, false},
        {last, 0, false},
        {PLANE_PLACE_SET, 0, true},
        {PLANE_PLACE_SET | last, ROWS, true},
        {PLANE_PLACE_SET | last, ROWS + 1, false},
        {PLANE_PLACE_SET | (last + 1), 0, false},
        {PLANE_PLACE_SET | UINT64_C(1) << PLANE_PLACE_EXTENT_SHIFT, 0, false},
        {PLANE_PLACE_SET | UINT64_C(127) << PLANE_PLACE_EXTENT_SHIFT, 0, false},
        {PLANE_PLACE_SET | PLANE_PLACE_OFFSET_MASK, 0, false},
        {PLANE_PLACE_SET | UINT64_C(1) << 57, 0, false},
        {UINT64_MAX, 0, false},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct series_view view;
        atomic_store(&place[1].first_defined, words[i].first_defined);
        atomic_store(&place[1].place, words[i].place);
        bool is_there = plane_series(plane, 0, "sma(close,3)", &view);
        cr_assert(is_there == words[i].is_there, "%zu", i);
        if (is_there)
            cr_assert((const uint8_t *)view.values >= plane->extent[0] &&
                      (const uint8_t *)view.values + 480 <= plane->extent[0] + SAMPLE_EXTENT_BYTES);
    }
    plane_close(plane);
    (void)munmap(map, n);
    (void)close(fd);
    free(bytes);
}
