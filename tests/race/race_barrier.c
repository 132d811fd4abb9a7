/* SPDX-License-Identifier: MIT */
/* The promise: what the supervisor writes before it publishes a step is seen by every worker of
 * that step, what workers write before they arrive is seen by the supervisor after the step, and
 * neither a late arrival nor a death at the barrier changes the count of another step.
 *
 * A plain program, since ThreadSanitizer does not run under Criterion: `race_barrier threads` has
 * workers as threads, whose plain memory ThreadSanitizer watches; `race_barrier processes` has them
 * as processes that share the slots alone, and kills some of them. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/units.h"
#include "shm/slot.h"
#include "shm/step.h"

#define WORKERS  4
#define ROUNDS   4000
#define WAIT_NS  (60 * NS_PER_S)
#define LAST_BAR UINT32_MAX

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);               \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct slots slots;

static struct shared {
    uint64_t input;           /* plain: written before a step is published */
    uint64_t output[WORKERS]; /* plain: written before an arrival */
} shared;

static void *work_as_thread(void *arg)
{
    uint32_t me = *(const uint32_t *)arg, last = 0, bar = 0;

    while (bar != LAST_BAR) {
        uint32_t stale = last;
        CHECK(step_wait(slots.header, last, mono_now_ns() + WAIT_NS, &last, &bar) == 0);
        shared.output[me] = shared.input * (me + 1);
        atomic_fetch_add_explicit(&slots.slot[me].heartbeat, 1, memory_order_relaxed);
        if (stale != 0 && bar % 7 == me)
            step_arrive(slots.header, &slots.slot[WORKERS],
                        stale); /* too late: counts for nothing */
        step_arrive(slots.header, &slots.slot[me], last);
    }
    slot_last_words(&slots.slot[me], SIGTERM, "done");
    return NULL;
}

static void run_round(uint32_t round)
{
    bool has_absentee = round % 5 == 0;
    uint32_t bar = round == ROUNDS ? LAST_BAR : round;

    shared.input = round * UINT64_C(1000003);
    uint32_t sequence = step_publish(slots.header, bar, WORKERS + has_absentee);
    CHECK(sequence != 0);
    if (has_absentee)
        step_excuse(slots.header, sequence);
    CHECK(step_wait_done(slots.header, sequence, mono_now_ns() + WAIT_NS) == 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        CHECK(shared.output[i] == shared.input * (i + 1));
        CHECK(atomic_load_explicit(&slots.slot[i].arrived_step, memory_order_acquire) == sequence);
    }
}

static void race_threads(void)
{
    pthread_t threads[WORKERS];
    uint32_t numbers[WORKERS];

    for (uint32_t i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        slot_claim(&slots, i, i + 1);
        CHECK(pthread_create(&threads[i], NULL, work_as_thread, &numbers[i]) == 0);
    }
    for (uint32_t round = 1; round <= ROUNDS; round++)
        run_round(round);
    for (uint32_t i = 0; i < WORKERS; i++) {
        char words[LAST_WORDS_BYTES];
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(atomic_load(&slots.slot[i].heartbeat) == ROUNDS);
        CHECK(slot_read_last_words(&slots.slot[i], words) == SIGTERM);
        CHECK(strcmp(words, "done") == 0);
    }
}

/* Worker processes die at bar me * 300, the last one never: it sees the whole run. */
_Noreturn static void work_as_process(int fd, uint32_t me)
{
    struct slots mine;
    struct err err;
    uint32_t last = 0, bar = 0;

    if (slots_open(fd, &mine, &err) < 0)
        _exit(2);
    while (bar != LAST_BAR) {
        if (step_wait(mine.header, last, mono_now_ns() + WAIT_NS, &last, &bar) < 0)
            _exit(3);
        if (me + 1 < WORKERS && bar == (me + 1) * 300) {
            slot_last_words(&mine.slot[me], SIGKILL, "as asked");
            raise(SIGKILL);
        }
        step_arrive(mine.header, &mine.slot[me], last);
    }
    _exit(0);
}

static void excuse_the_dead(pid_t pids[static WORKERS], uint32_t sequence, uint32_t *alive_n)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        int status;
        if (pids[i] == 0 || waitpid(pids[i], &status, WNOHANG) != pids[i])
            continue;
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        pids[i] = 0;
        --*alive_n;
        if (atomic_load_explicit(&slots.slot[i].arrived_step, memory_order_acquire) != sequence)
            step_excuse(slots.header, sequence);
    }
}

static void race_processes(int fd)
{
    pid_t pids[WORKERS];
    uint32_t alive_n = WORKERS;

    for (uint32_t i = 0; i < WORKERS; i++) {
        slot_claim(&slots, i, i + 1);
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0)
            work_as_process(fd, i);
    }
    for (uint32_t bar = 1; bar <= ROUNDS; bar++) {
        uint32_t sequence = step_publish(slots.header, bar == ROUNDS ? LAST_BAR : bar, alive_n);
        int64_t end_ns = mono_now_ns() + WAIT_NS;
        while (step_wait_done(slots.header, sequence, mono_now_ns() + NS_PER_S / 1000) < 0) {
            CHECK(mono_now_ns() < end_ns);
            excuse_the_dead(pids, sequence, &alive_n);
        }
    }
    CHECK(alive_n == 1);
    int status;
    CHECK(waitpid(pids[WORKERS - 1], &status, 0) == pids[WORKERS - 1] && status == 0);
    for (uint32_t i = 0; i + 1 < WORKERS; i++) {
        char words[LAST_WORDS_BYTES];
        CHECK(slot_read_last_words(&slots.slot[i], words) == SIGKILL);
        CHECK(strcmp(words, "as asked") == 0);
    }
}

int main(int argc, char **argv)
{
    struct err err;
    int fd;

    if (argc != 2 || slots_create(WORKERS + 1, &slots, &fd, &err) < 0) {
        fprintf(stderr, "race_barrier threads|processes\n");
        return 2;
    }
    CHECK(step_wait_done(slots.header, 1, mono_now_ns() + NS_PER_S / 1000) == -ETIMEDOUT);
    if (strcmp(argv[1], "threads") == 0)
        race_threads();
    else
        race_processes(fd);
    slots_close(&slots);
    (void)close(fd);
    return 0;
}
