/* SPDX-License-Identifier: MIT */
/* The promise: what was put into a plane is read from it, symbols on one clock; once sealed nobody
 * alters it, whoever tries dies alone; a plane that was cut, flipped or forged is refused with an
 * error, never a signal. Slots say what workers wrote, whatever they wrote. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "proto/units.h"
#include "shm/plane.h"
#include "shm/slot.h"
#include "shm/step.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define HOUR_NS         (NS_PER_DAY / 24)
#define ROWS            60
#define ALL_SEALS       (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Two symbols: A has a bar every hour from 0; B every second hour from hour 6 on. */
struct sample {
    int64_t time[2][ROWS];
    double column[2][5][ROWS];
    double extra[ROWS];
    const double *extras[1];
    const char *extra_names[1];
    struct bars bars[2];
    uint32_t first_row[2];
    uint32_t series_symbol[3];
    const char *series_key[3];
    struct plane_plan plan;
};

static void fill_sample(struct sample *s)
{
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < ROWS; i++) {
            s->time[k][i] = (k == 0 ? i : 6 + 2 * i) * HOUR_NS;
            for (int c = 0; c < 5; c++)
                s->column[k][c][i] = 1000 * k + 100 * c + i;
            s->extra[i] = i < 3 ? NAN : i * 0.25;
        }
        s->bars[k] = (struct bars){
            .symbol = k == 0 ? "A" : "B",
            .rows_n = ROWS,
            .time_ns = s->time[k],
            .open = s->column[k][0],
            .high = s->column[k][1],
            .low = s->column[k][2],
            .close = s->column[k][3],
            .volume = s->column[k][4],
        };
    }
    s->extras[0] = s->extra;
    s->extra_names[0] = "forecast";
    s->bars[1].extra_n = 1;
    s->bars[1].extra = s->extras;
    s->bars[1].extra_names = s->extra_names;
    s->first_row[0] = 10;
    s->first_row[1] = 4; /* hour 14 */
    s->series_symbol[0] = 1;
    s->series_key[0] = "sma(close,3)";
    s->series_symbol[1] = 0;
    s->series_key[1] = "sma(close,3)";
    s->series_symbol[2] = 0;
    s->series_key[2] = "rsi(close,14)";
    s->plan = (struct plane_plan){
        .symbols_n = 2,
        .bars = s->bars,
        .first_row = s->first_row,
        .series_n = 3,
        .series_symbol = s->series_symbol,
        .series_key = s->series_key,
        .data_hash = {0x1234, 0x5678},
    };
}

/* Series i is NaN before row 2 + i, then 10 i + row; the last one is never defined. */
static int build_sample(struct sample *s)
{
    struct plane_builder *b = NULL;
    struct err err = {0};
    int fd = -1;

    fill_sample(s);
    cr_assert(plane_build(&s->plan, &b, &err) == 0, "%s", err.text);
    for (uint32_t i = 0; i < 3; i++) {
        double *values = plane_builder_series(b, i);
        for (uint32_t row = 0; row < ROWS; row++)
            values[row] = i == 2 || row < 2 + i ? NAN : 10 * i + row;
    }
    cr_assert(plane_seal(b, &fd, &err) == 0, "%s", err.text);
    return fd;
}

static struct plane *open_sample(int fd)
{
    struct plane *plane = NULL;
    struct err err = {0};
    cr_assert(plane_open(fd, &plane, &err) == 0, "%s", err.text);
    return plane;
}

Test(plane, gives_back_the_bars)
{
    static struct sample s;
    int fd = build_sample(&s);
    struct plane *plane = open_sample(fd);

    cr_assert(plane->symbols_n == 2 && plane->header->data_hash[1] == 0x5678);
    for (int k = 0; k < 2; k++) {
        const struct bars *bars = &plane->symbol[k].bars;
        cr_assert(strcmp(bars->symbol, s.bars[k].symbol) == 0 && bars->rows_n == ROWS);
        cr_assert(memcmp(bars->time_ns, s.time[k], sizeof s.time[k]) == 0);
        cr_assert(memcmp(bars->open, s.column[k][0], sizeof s.column[k][0]) == 0);
        cr_assert(memcmp(bars->high, s.column[k][1], sizeof s.column[k][1]) == 0);
        cr_assert(memcmp(bars->low, s.column[k][2], sizeof s.column[k][2]) == 0);
        cr_assert(memcmp(bars->close, s.column[k][3], sizeof s.column[k][3]) == 0);
        cr_assert(memcmp(bars->volume, s.column[k][4], sizeof s.column[k][4]) == 0);
        cr_assert(plane->symbol[k].first_row == s.first_row[k]);
        cr_assert((uintptr_t)bars->close % SHM_ALIGN == 0);
    }
    cr_assert(plane->size_bytes == plane_plan_bytes(&s.plan));
    plane_close(plane);
    (void)close(fd);
}

Test(plane, merges_the_clock_of_all_symbols)
{
    static struct sample s;
    int fd = build_sample(&s);
    struct plane *plane = open_sample(fd);
    uint32_t rows_n[2] = {0, 0};

    /* Hours 0 to 59 of A; of B those even ones from 60 to 124. */
    cr_assert(plane->steps_n == 60 + 33, "%u", plane->steps_n);
    for (uint32_t step = 0; step < plane->steps_n; step++) {
        int64_t hour = plane->clock_ns[step] / HOUR_NS;
        cr_assert(hour == (step < 60 ? step : 60 + 2 * (step - 60)));
        int32_t a = plane_row(&plane->symbol[0], step), b = plane_row(&plane->symbol[1], step);
        cr_assert(a == (hour < 60 ? (int32_t)hour : -1));
        cr_assert(b == (hour >= 6 && hour % 2 == 0 ? (int32_t)(hour - 6) / 2 : -1));
        rows_n[0] += a >= 0;
        rows_n[1] += b >= 0;
    }
    cr_assert(rows_n[0] == ROWS && rows_n[1] == ROWS);
    plane_close(plane);
    (void)close(fd);
}

Test(plane, range_starts_at_the_earliest_symbol)
{
    static struct sample s;
    int fd = build_sample(&s);
    struct plane *plane = open_sample(fd);

    /* A starts at hour 10, B at hour 14. */
    cr_assert(plane->first_step == 10 && plane->clock_ns[10] / HOUR_NS == 10);
    plane_close(plane);
    (void)close(fd);
}

Test(plane, one_symbol_needs_no_map_of_rows)
{
    static struct sample s;
    struct plane_builder *b;
    struct err err;
    int fd;

    fill_sample(&s);
    s.plan.symbols_n = 1;
    s.plan.series_n = 0;
    s.first_row[0] = 0;
    cr_assert(plane_build(&s.plan, &b, &err) == 0 && plane_seal(b, &fd, &err) == 0);
    struct plane *plane = open_sample(fd);
    cr_assert(plane->symbol[0].row_of_step == NULL && plane->steps_n == ROWS);
    cr_assert(plane_row(&plane->symbol[0], 17) == 17 && plane->first_step == 0);
    plane_close(plane);
    (void)close(fd);
}

Test(plane, range_beyond_the_last_bar_is_empty)
{
    static struct sample s;
    struct plane_builder *b;
    struct err err;
    int fd;

    fill_sample(&s);
    s.first_row[0] = s.first_row[1] = ROWS;
    cr_assert(plane_build(&s.plan, &b, &err) == 0 && plane_seal(b, &fd, &err) == 0);
    struct plane *plane = open_sample(fd);
    cr_assert(plane->first_step == plane->steps_n);
    plane_close(plane);
    (void)close(fd);
}

Test(plane, series_are_found_by_symbol_and_key)
{
    static struct sample s;
    int fd = build_sample(&s);
    struct plane *plane = open_sample(fd);
    uint32_t first = 99;

    const double *values = plane_series(plane, 1, "sma(close,3)", &first);
    cr_assert(values && first == 2 && isnan(values[1]) && values[5] == 5);
    values = plane_series(plane, 0, "sma(close,3)", &first);
    cr_assert(values && first == 3 && values[5] == 15);
    values = plane_series(plane, 0, "rsi(close,14)", &first);
    cr_assert(values && first == ROWS, "a series that is never defined");
    values = plane_series(plane, 1, "forecast", &first);
    cr_assert(values && first == 3 && values[4] == 1.0);
    cr_assert(plane_series(plane, 0, "forecast", &first) == NULL && first == 3);
    cr_assert(plane_series(plane, 0, "sma(close,4)", &first) == NULL);
    cr_assert(plane_series(plane, 2, "sma(close,3)", &first) == NULL);
    cr_assert(plane_series(plane, 1, "close", &first) == plane->symbol[1].bars.close && first == 0);
    cr_assert(plane_series(plane, 1, "volume", NULL) == plane->symbol[1].bars.volume);
    plane_close(plane);
    (void)close(fd);
}

Test(plane, many_symbols_merge_rightly)
{
    enum { SYMBOLS = 40, N = 500 };
    static int64_t times[SYMBOLS][N];
    static double column[N];
    static struct bars bars[SYMBOLS];
    static uint32_t first_row[SYMBOLS];
    uint64_t state = 7;

    for (int k = 0; k < SYMBOLS; k++) {
        int64_t t = 0;
        for (int i = 0; i < N; i++) {
            state = state * UINT64_C(6364136223846793005) + 1;
            t += 1 + (int64_t)(state >> 60);
            times[k][i] = t * NS_PER_S;
        }
        bars[k] =
            (struct bars){"S", N, times[k], column, column, column, column, column, 0, NULL, NULL};
    }
    struct plane_plan plan = {.symbols_n = SYMBOLS, .bars = bars, .first_row = first_row};
    struct plane_builder *b;
    struct err err;
    int fd;
    cr_assert(plane_build(&plan, &b, &err) == 0 && plane_seal(b, &fd, &err) == 0);
    struct plane *plane = open_sample(fd); /* which checks that each row stands at its time */
    for (uint32_t step = 0; step < plane->steps_n; step++) {
        bool has_any = false;
        for (uint32_t k = 0; k < SYMBOLS; k++)
            has_any |= plane_row(&plane->symbol[k], step) >= 0;
        cr_assert(has_any, "step %u belongs to nobody", step);
    }
    plane_close(plane);
    (void)close(fd);
}

Test(plane, plans_that_cannot_be_are_refused)
{
    static struct sample s;
    struct plane_builder *b = NULL;
    struct err err = {0};

    fill_sample(&s);
    s.time[1][7] = s.time[1][6];
    cr_assert(plane_build(&s.plan, &b, &err) < 0 && err.kind == ERR_DATA && b == NULL);
    cr_assert(strstr(err.text, "B: the time of bar 7"), "%s", err.text);
    fill_sample(&s);
    s.bars[0].rows_n = 0;
    cr_assert(plane_build(&s.plan, &b, &err) < 0 && err.kind == ERR_NO_INPUT);
    fill_sample(&s);
    s.series_key[2] = "sma(close,3)";
    cr_assert(plane_build(&s.plan, &b, &err) < 0 && err.kind == ERR_BUG && b == NULL);
    fill_sample(&s);
    s.plan.symbols_n = 0;
    cr_assert(plane_build(&s.plan, &b, &err) < 0 && plane_plan_bytes(&s.plan) == UINT64_MAX);
}

Test(plane, more_than_the_machine_has_is_an_error)
{
    static struct sample s;
    struct plane_builder *b = NULL;
    struct err err = {0};

    fill_sample(&s);
    const struct rlimit limit = {1 << 20, 1 << 20};
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    enum { MANY = 3000 };
    static char keys[MANY][16];
    static const char *series_key[MANY];
    static uint32_t series_symbol[MANY];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%d", i);
        series_key[i] = keys[i];
    }
    s.plan.series_n = MANY;
    s.plan.series_key = series_key;
    s.plan.series_symbol = series_symbol;
    cr_assert(plane_build(&s.plan, &b, &err) < 0 && b == NULL);
    cr_assert(err.kind == ERR_SYSTEM && strstr(err.text, "MiB"), "%s", err.text);
}

/* ---- isolation ------------------------------------------------------------------------------ */

Test(plane, scribbling_child_dies_alone)
{
    static struct sample s;
    int fd = build_sample(&s);
    struct plane *plane = open_sample(fd);
    uint64_t before = XXH3_64bits(plane->base, plane->size_bytes);

    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        ((double *)(uintptr_t)plane->symbol[0].bars.close)[3] = -1;
        _exit(0);
    }
    int status;
    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x", (unsigned)status);
    cr_assert(XXH3_64bits(plane->base, plane->size_bytes) == before);
    plane_close(plane);
    (void)close(fd);
}

Test(plane, no_way_leads_around_the_seals)
{
    static struct sample s;
    int fd = build_sample(&s);
    char path[40];
    struct stat st;

    cr_assert(fstat(fd, &st) == 0);
    cr_assert((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert(map != MAP_FAILED && mprotect(map, 4096, PROT_READ | PROT_WRITE) < 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR); /* root may, or one with the same uid */
    if (again >= 0) {
        cr_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
        cr_assert(pwrite(again, "x", 1, 0) < 0 && errno == EPERM);
        cr_assert(ftruncate(again, 0) < 0 && errno == EPERM);
        cr_assert(ftruncate(again, st.st_size + 1) < 0 && errno == EPERM);
        cr_assert(fcntl(again, F_ADD_SEALS, 0) < 0);
        (void)close(again);
    }
    (void)munmap(map, 4096);
    (void)close(fd);
}

/* ---- hostile planes ------------------------------------------------------------------------- */

static int sealed_copy(const void *bytes, size_t n_bytes, int seals)
{
    int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert(fd >= 0 && write(fd, bytes, n_bytes) == (ssize_t)n_bytes);
    cr_assert(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static int open_copy(const void *bytes, size_t n_bytes, struct err *err)
{
    struct plane untouched, *plane = &untouched;
    int fd = sealed_copy(bytes, n_bytes, ALL_SEALS);
    int rc = plane_open(fd, &plane, err);
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
    int fd = build_sample(&s);
    struct plane *plane = open_sample(fd);
    uint8_t *bytes = malloc(plane->size_bytes);
    cr_assert(bytes != NULL);
    memcpy(bytes, plane->base, plane->size_bytes);
    *ret_bytes = plane->size_bytes;
    plane_close(plane);
    (void)close(fd);
    return bytes;
}

Test(plane, flipped_byte_of_header_or_tables_is_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    size_t tables_end = ((struct plane_header *)bytes)->columns_off;
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

Test(plane, cut_or_longer_plane_is_refused)
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

Test(plane, file_that_could_change_under_the_reader_is_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    static const int seals[] = {0, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_WRITE,
                                F_SEAL_WRITE | F_SEAL_GROW};
    struct plane *plane = NULL;
    struct err err;

    for (size_t i = 0; i < COUNT_OF(seals); i++) {
        int fd = sealed_copy(bytes, n, seals[i]);
        cr_assert(plane_open(fd, &plane, &err) == -EBADMSG && plane == NULL);
        (void)close(fd);
    }
    int fds[2];
    cr_assert(pipe(fds) == 0 && plane_open(fds[0], &plane, &err) == -EBADMSG);
    cr_assert(plane_open(-1, &plane, &err) == -EBADMSG);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    cr_assert(file >= 0 && plane_open(file, &plane, &err) == -EBADMSG);
    free(bytes);
}

static void mend_checksums(uint8_t *bytes)
{
    struct plane_header *h = (struct plane_header *)bytes;
    h->tables_checksum = XXH3_64bits(bytes + h->symbols_off, h->columns_off - h->symbols_off);
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
Test(plane, forged_offsets_and_counts_are_refused)
{
    static const struct {
        const char *field;
        size_t offset, bytes;
    } fields[] = {
        HEADER_U64(size_bytes), HEADER_U64(clock_off), HEADER_U32(steps_n), HEADER_U32(first_step),
        HEADER_U32(symbols_n),  HEADER_U32(series_n),  HEADER_U32(version),
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
            mend_checksums(copy);
            cr_assert(open_copy(copy, n, &err) == -EBADMSG, "%s = %llx", fields[i].field,
                      (unsigned long long)values[k]);
            free(copy);
        }
    }
    free(bytes);
}

/* Every 8-byte word of the tables, replaced by hostile values under right checksums: refused, or a
 * plane that can be read to its last value. */
Test(plane, forged_tables_are_refused_or_harmless)
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
            mend_checksums(bytes);
            int fd = sealed_copy(bytes, n, ALL_SEALS);
            if (plane_open(fd, &plane, &err) == 0) {
                volatile double seen;
                for (uint32_t i = 0; i < plane->symbols_n; i++) {
                    for (uint32_t row = 0; row < plane->symbol[i].bars.rows_n; row++)
                        seen = plane->symbol[i].bars.close[row];
                    (void)plane_series(plane, i, "sma(close,3)", NULL);
                }
                (void)seen;
                plane_close(plane);
            }
            (void)close(fd);
            memcpy(bytes + at, &kept, 8);
        }
    }
    mend_checksums(bytes);
    free(bytes);
}

Test(plane, clock_and_rows_that_do_not_match_are_refused)
{
    size_t n;
    uint8_t *bytes = copy_sample(&n);
    const struct plane_header *h = (const struct plane_header *)bytes;
    struct plane_symbol *symbols = (struct plane_symbol *)(bytes + h->symbols_off);
    int32_t *row_of_step = (int32_t *)(bytes + symbols[0].row_of_step_off);
    int64_t *clock = (int64_t *)(bytes + h->clock_off);
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

/* ---- slots ---------------------------------------------------------------------------------- */

Test(slot, both_ends_see_one_file)
{
    struct slots mine, theirs;
    struct err err;
    char words[LAST_WORDS_BYTES];
    int fd;

    cr_assert(slots_create(3, &mine, &fd, &err) == 0);
    cr_assert(slots_open(fd, &theirs, &err) == 0 && theirs.slots_n == 3);
    slot_claim(&mine, 1, 42);
    cr_assert(theirs.slot[1].worker == 42 && theirs.slot[1].state == SLOT_STARTING);
    theirs.slot[1].combination = 77;
    slot_last_words(&theirs.slot[1], SIGSEGV, "fault at 0x0\n\x1b[31m");
    slot_last_words(&theirs.slot[1], SIGABRT, "a second fault");
    cr_assert(mine.slot[1].combination == 77);
    cr_assert(slot_read_last_words(&mine.slot[1], words) == SIGSEGV);
    cr_assert(strcmp(words, "fault at 0x0\\x0a\\x1b[31m") == 0, "%s", words);
    slot_claim(&mine, 1, 43);
    cr_assert(theirs.slot[1].combination == 0 && slot_read_last_words(&mine.slot[1], words) == 0);
    cr_assert(words[0] == '\0');
    slot_release(&mine, 1);
    cr_assert(theirs.slot[1].worker == 0 && theirs.slot[1].state == SLOT_FREE);
    slots_close(&theirs);
    slots_close(&mine);
    slots_close(&mine);
    (void)close(fd);
}

Test(slot, words_without_an_end_are_read_to_the_slot_s_end)
{
    struct slots slots;
    struct err err;
    char words[LAST_WORDS_BYTES], longer[1000];
    int fd;

    memset(longer, 'w', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert(slots_create(1, &slots, &fd, &err) == 0);
    slot_last_words(&slots.slot[0], SIGSEGV, longer);
    cr_assert(slot_read_last_words(&slots.slot[0], words) == SIGSEGV);
    cr_assert(strlen(words) == sizeof slots.slot[0].words - 1);
    memset(slots.slot[0].words, 0xff, sizeof slots.slot[0].words);
    slots.slot[0].words_signal = UINT32_MAX;
    cr_assert(slot_read_last_words(&slots.slot[0], words) == 0, "no such signal");
    cr_assert(strlen(words) < sizeof words);
    slots_close(&slots);
    (void)close(fd);
}

Test(slot, worker_cannot_cut_the_file_under_the_supervisor)
{
    struct slots slots;
    struct err err;
    int fd;
    cr_assert(slots_create(2, &slots, &fd, &err) == 0);
    cr_assert(ftruncate(fd, 0) < 0 && errno == EPERM);
    cr_assert(ftruncate(fd, 1 << 20) < 0 && errno == EPERM);
    slots_close(&slots);
    (void)close(fd);
}

Test(slot, foreign_file_is_refused)
{
    struct slots slots, other = {0};
    struct err err;
    int fd;

    cr_assert(slots_create(2, &slots, &fd, &err) == 0);
    slots.header->magic ^= 1;
    cr_assert(slots_open(fd, &other, &err) == -EBADMSG && other.header == NULL);
    slots.header->magic ^= 1;
    slots.header->slots_n = 3;
    cr_assert(slots_open(fd, &other, &err) == -EBADMSG);
    slots.header->slots_n = 2;
    slots.header->version++;
    cr_assert(slots_open(fd, &other, &err) == -EBADMSG);
    cr_assert(slots_open(0, &other, &err) == -EBADMSG && other.header == NULL);
    slots_close(&slots);
    (void)close(fd);
    cr_assert(slots_create(0, &slots, &fd, &err) == -EPROTO);
    cr_assert(slots_create(SLOTS_MAX + 1, &slots, &fd, &err) == -EPROTO);
}

Test(slot, phases_have_names)
{
    for (int i = 0; i < SLOT_PHASE_N; i++)
        cr_assert(slot_phase_name((enum slot_phase)i)[0] != '?');
    cr_assert(strcmp(slot_phase_name((enum slot_phase)99), "?") == 0);
}

/* ---- the barrier, alone (tests/race has it under load) -------------------------------------- */

Test(step, ends_with_the_last_arrival_and_not_before)
{
    struct slots s;
    struct err err;
    uint32_t sequence, bar;
    int fd;

    cr_assert(slots_create(3, &s, &fd, &err) == 0);
    uint32_t first = step_publish(s.header, 17, 2);
    cr_assert(step_wait(s.header, 0, 0, &sequence, &bar) == 0 && sequence == first && bar == 17);
    step_arrive(s.header, &s.slot[0], first);
    cr_assert(step_wait_done(s.header, first, 0) == -ETIMEDOUT);
    cr_assert(s.slot[0].arrived_step == first && s.slot[1].arrived_step != first);
    step_excuse(s.header, first);
    cr_assert(step_wait_done(s.header, first, 0) == 0);
    step_excuse(s.header, first); /* nobody is left to be excused */

    uint32_t second = step_publish(s.header, 18, 1);
    cr_assert(second != first);
    step_arrive(s.header, &s.slot[1], first);
    cr_assert(step_wait_done(s.header, second, 0) == -ETIMEDOUT, "a late arrival counted");
    cr_assert(step_wait(s.header, second, 0, &sequence, &bar) == -ETIMEDOUT && bar == 17);
    step_arrive(s.header, &s.slot[1], second);
    cr_assert(step_wait_done(s.header, second, 0) == 0);
    uint32_t third = step_publish(s.header, 19, 0);
    cr_assert(step_wait_done(s.header, third, 0) == 0, "nothing is required");
    slots_close(&s);
    (void)close(fd);
}

Test(step, numbers_wrap_around_zero)
{
    struct slots s;
    struct err err;
    int fd;

    cr_assert(slots_create(1, &s, &fd, &err) == 0);
    s.header->step.step = UINT32_MAX - 1;
    for (int i = 0; i < 4; i++) {
        uint32_t sequence = step_publish(s.header, 1, 1);
        cr_assert(sequence != 0);
        cr_assert(step_wait_done(s.header, sequence, 0) == -ETIMEDOUT);
        step_arrive(s.header, &s.slot[0], sequence);
        cr_assert(step_wait_done(s.header, sequence, 0) == 0);
    }
    slots_close(&s);
    (void)close(fd);
}
