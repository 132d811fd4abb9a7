/* SPDX-License-Identifier: MIT */
/* The promise: what was put into a plane is read from it, symbols on one clock; a series is seen
 * when it is published and not before; nobody who only reads alters it, whoever tries dies alone; a
 * plane that was cut, flipped or forged is refused with an error, never a signal. Slots say what
 * workers wrote, whatever they wrote. */
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

#include "shm/slot.h"
#include "shm/step.h"
#include "tests/unit/plane_fixture.h"

Test(plane, gives_back_the_bars)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);

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
    cr_assert(plane->size_bytes == plane_core_bytes(&s.plan));
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane, merges_the_clock_of_all_symbols)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);
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
    plane_writer_destroy(w);
}

Test(plane, range_starts_at_the_earliest_symbol)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);

    /* A starts at hour 10, B at hour 14. */
    cr_assert(plane->first_step == 10 && plane->clock_ns[10] / HOUR_NS == 10);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane, one_symbol_needs_no_map_of_rows)
{
    static struct sample s;
    fill_sample(&s);
    s.plan.symbols_n = s.plan.traded_n = 1;
    s.plan.series_n = 0;
    s.first_row[0] = 0;
    struct plane_writer *w = create(&s.plan);
    struct plane *plane = open_plane(w);
    cr_assert(plane->symbol[0].row_of_step == NULL && plane->steps_n == ROWS);
    cr_assert(plane_row(&plane->symbol[0], 17) == 17 && plane->first_step == 0);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane, range_beyond_the_last_bar_is_empty)
{
    static struct sample s;
    fill_sample(&s);
    s.first_row[0] = s.first_row[1] = ROWS;
    struct plane_writer *w = create(&s.plan);
    struct plane *plane = open_plane(w);
    cr_assert(plane->first_step == plane->steps_n);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane, series_are_found_by_symbol_and_key)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);
    uint32_t first = 99;

    const double *values = plane_f64(plane, 1, "sma(close,3)", &first);
    cr_assert(values && first == 2 && isnan(values[1]) && values[5] == 5);
    values = plane_f64(plane, 0, "sma(close,3)", &first);
    cr_assert(values && first == 3 && values[5] == 15);
    values = plane_f64(plane, 0, "rsi(close,14)", &first);
    cr_assert(values && first == ROWS, "a series that is never defined");
    values = plane_f64(plane, 1, "forecast", &first);
    cr_assert(values && first == 3 && values[4] == 1.0);
    cr_assert(plane_f64(plane, 0, "forecast", &first) == NULL && first == 3);
    cr_assert(plane_f64(plane, 0, "sma(close,4)", &first) == NULL);
    cr_assert(plane_f64(plane, 2, "sma(close,3)", &first) == NULL);
    cr_assert(plane_f64(plane, 1, "close", &first) == plane->symbol[1].bars.close && first == 0);
    cr_assert(plane_f64(plane, 1, "volume", NULL) == plane->symbol[1].bars.volume);
    plane_close(plane);
    plane_writer_destroy(w);
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
    struct plane_plan plan = {
        .symbols_n = SYMBOLS, .traded_n = SYMBOLS, .bars = bars, .first_row = first_row};
    struct plane_writer *w = create(&plan);
    struct plane *plane = open_plane(w); /* which checks that each row stands at its time */
    for (uint32_t step = 0; step < plane->steps_n; step++) {
        bool has_any = false;
        for (uint32_t k = 0; k < SYMBOLS; k++)
            has_any |= plane_row(&plane->symbol[k], step) >= 0;
        cr_assert(has_any, "step %u belongs to nobody", step);
    }
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane, plans_that_cannot_be_are_refused)
{
    static struct sample s;
    struct plane_writer *w = NULL;
    struct err err = {0};

    fill_sample(&s);
    s.time[1][7] = s.time[1][6];
    cr_assert(plane_create(&s.plan, &w, &err) < 0 && err.kind == ERR_DATA && w == NULL);
    cr_assert(strstr(err.text, "B: the time of bar 7"), "%s", err.text);
    fill_sample(&s);
    s.bars[0].rows_n = 0;
    cr_assert(plane_create(&s.plan, &w, &err) < 0 && err.kind == ERR_NO_INPUT);
    fill_sample(&s);
    s.series[2].key = "sma(close,3)";
    cr_assert(plane_create(&s.plan, &w, &err) < 0 && err.kind == ERR_BUG && w == NULL);
    fill_sample(&s);
    s.plan.symbols_n = 0;
    cr_assert(plane_create(&s.plan, &w, &err) < 0 && plane_core_bytes(&s.plan) == UINT64_MAX);
}

Test(plane, more_than_the_machine_has_is_an_error)
{
    static struct sample s;
    struct plane_writer *w = NULL;
    struct err err = {0};

    fill_sample(&s);
    const struct rlimit limit = {1 << 20, 1 << 20};
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    enum { MANY = 3000 };
    static char keys[MANY][16];
    static struct plane_series_plan series[MANY];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%d", i);
        series[i] = (struct plane_series_plan){0, keys[i], SERIES_F64};
    }
    s.plan.series_n = MANY;
    s.plan.series = series;
    cr_assert(plane_create(&s.plan, &w, &err) < 0 && w == NULL);
    cr_assert(err.kind == ERR_SYSTEM && strstr(err.text, "MiB"), "%s", err.text);
}

/* ---- isolation ------------------------------------------------------------------------------ */

/* Runs `scribble` in a child; how it ended. */
static int status_of_child(void (*scribble)(void *), void *at)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        scribble(at);
        _exit(0);
    }
    int status;
    cr_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

static void write_there(void *at)
{
    *(volatile double *)at = -1;
}

/* Of the core, and of an extent. */
Test(plane, scribbling_child_dies_alone)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);
    uint64_t before = XXH3_64bits(plane->base, plane->size_bytes);
    const double *at[] = {&plane->symbol[0].bars.close[3],
                          &plane_f64(plane, 1, "sma(close,3)", NULL)[5]};

    for (size_t i = 0; i < COUNT_OF(at); i++) {
        int status = status_of_child(write_there, (void *)(uintptr_t)at[i]);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%zu: %x", i,
                  (unsigned)status);
    }
    cr_assert(XXH3_64bits(plane->base, plane->size_bytes) == before && *at[1] == 5);
    plane_close(plane);
    plane_writer_destroy(w);
}

/* A descriptor and a map of it, in the hands of one who wants to write. */
static void try_to_write(int fd, void *map)
{
    char path[40];
    struct stat st;

    cr_assert(fstat(fd, &st) == 0);
    cr_assert((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    cr_assert(mprotect(map, 4096, PROT_READ | PROT_WRITE) < 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR); /* root may, or one with the same uid */
    if (again < 0)
        return;
    cr_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
    void *later = mmap(NULL, 4096, PROT_READ, MAP_SHARED, again, 0);
    cr_assert(later != MAP_FAILED && mprotect(later, 4096, PROT_READ | PROT_WRITE) < 0);
    cr_assert(pwrite(again, "x", 1, 0) < 0 && errno == EPERM);
    cr_assert(ftruncate(again, 0) < 0 && errno == EPERM);
    cr_assert(ftruncate(again, st.st_size + 1) < 0 && errno == EPERM);
    cr_assert(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0);
    cr_assert(fcntl(again, F_ADD_SEALS, 0) < 0);
    (void)munmap(later, 4096);
    (void)close(again);
}

Test(plane, no_way_leads_around_the_seals)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);
    const struct plane_fds *fds = plane_writer_fds(w);

    cr_assert(fds->extents_n == 1);
    try_to_write(fds->core, (void *)(uintptr_t)plane->base);
    try_to_write(fds->extent[0], (void *)(uintptr_t)plane->extent[0]);
    plane_close(plane);
    plane_writer_destroy(w);
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
