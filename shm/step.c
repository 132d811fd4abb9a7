/* SPDX-License-Identifier: MIT */
/* The step barrier on two futex words of the slots file.
 *
 * arrive.pending holds the low bits of the step's sequence number beside the count, so that a
 * worker that comes late, for a step from which it was excused, counts for nothing in the next one.
 */
#include "shm/step.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/units.h"

#define COUNT_BITS 10
#define COUNT_MASK ((UINT32_C(1) << COUNT_BITS) - 1)
#define SPIN_NS    2000

static_assert(SLOTS_MAX <= COUNT_MASK, "arrivals fit their bits");

/* The words lie in memory of several processes: no FUTEX_PRIVATE_FLAG. */
static int futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
    int64_t ns = deadline_ns > 0 ? deadline_ns : 0;
    struct timespec deadline = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    long rc =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &deadline, NULL, FUTEX_BITSET_MATCH_ANY);
    return rc < 0 ? -errno : 0;
}

static void futex_wake_all(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); /* no waiter is no error */
}

static bool may_spin(void)
{
    static _Atomic long cpus_n;
    long n = atomic_load_explicit(&cpus_n, memory_order_relaxed);
    if (n == 0) {
        n = sysconf(_SC_NPROCESSORS_ONLN);
        atomic_store_explicit(&cpus_n, n, memory_order_relaxed);
    }
    return n > 1;
}

static void relax_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits until (*word == value) == wanted: shortly by looking, then asleep. */
static int wait_word(_Atomic uint32_t *word, uint32_t value, bool wanted, int64_t deadline_ns)
{
    /* Each acquire pairs with the release store of the same word: `step` in step_publish(), `done`
     * in count_down(). */
    int64_t spin_end_ns = may_spin() ? mono_now_ns() + SPIN_NS : 0;
    do {
        if ((atomic_load_explicit(word, memory_order_acquire) == value) == wanted)
            return 0;
        relax_cpu();
    } while (spin_end_ns && mono_now_ns() < spin_end_ns);

    for (int rc = 0;;) {
        uint32_t seen = atomic_load_explicit(word, memory_order_acquire);
        if ((seen == value) == wanted)
            return 0;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        rc = futex_wait(word, seen, deadline_ns);
    }
}

static uint32_t pending_of(uint32_t sequence, uint32_t count)
{
    return sequence << COUNT_BITS | count;
}

/* One arrival at `sequence`; true if it was the last. */
static bool count_down(struct slots_header *h, uint32_t sequence)
{
    uint32_t pending = atomic_load_explicit(&h->arrive.pending, memory_order_relaxed);
    do {
        if (pending >> COUNT_BITS != pending_of(sequence, 0) >> COUNT_BITS ||
            (pending & COUNT_MASK) == 0)
            return false;
        /* Release: what this worker wrote before is seen by the last arrival. Acquire: pairs with
         * the same exchange in the arrivals before, whose writes the last one hands on below. */
    } while (!atomic_compare_exchange_weak_explicit(&h->arrive.pending, &pending, pending - 1,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if ((pending & COUNT_MASK) != 1)
        return false;
    /* Pairs with the acquire load of `done` in wait_word(). */
    atomic_store_explicit(&h->arrive.done, sequence, memory_order_release);
    return true;
}

uint32_t step_publish(struct slots_header *h, uint32_t bar, uint32_t required)
{
    assert(required <= SLOTS_MAX);
    uint32_t sequence = atomic_load_explicit(&h->step.step, memory_order_relaxed) + 1;
    if (sequence == 0)
        sequence = 1;

    atomic_store_explicit(&h->arrive.pending, pending_of(sequence, required), memory_order_relaxed);
    if (required == 0)
        atomic_store_explicit(&h->arrive.done, sequence, memory_order_relaxed);
    atomic_store_explicit(&h->step.bar, bar, memory_order_relaxed);
    /* Pairs with the acquire load of `step` in wait_word(): pending, bar and all that the
     * supervisor wrote for this step come before it. */
    atomic_store_explicit(&h->step.step, sequence, memory_order_release);
    futex_wake_all(&h->step.step);
    return sequence;
}

int step_wait_done(struct slots_header *h, uint32_t sequence, int64_t deadline_ns)
{
    return wait_word(&h->arrive.done, sequence, true, deadline_ns);
}

void step_excuse(struct slots_header *h, uint32_t sequence)
{
    (void)count_down(h, sequence); /* the supervisor itself waits for the last: nobody to wake */
}

int step_wait(struct slots_header *h, uint32_t last, int64_t deadline_ns, uint32_t *ret_sequence,
              uint32_t *ret_bar)
{
    int rc = wait_word(&h->step.step, last, false, deadline_ns);
    if (rc < 0)
        return rc;
    /* Nothing newer can be published before this worker arrives: both belong together. */
    *ret_sequence = atomic_load_explicit(&h->step.step, memory_order_relaxed);
    *ret_bar = atomic_load_explicit(&h->step.bar, memory_order_relaxed);
    return 0;
}

void step_arrive(struct slots_header *h, struct slot *slot, uint32_t sequence)
{
    /* Before the count, so that a death in between leaves one arrival too few, which the deadline
     * settles, and never one too many. Pairs with the supervisor's acquire load of arrived_step. */
    atomic_store_explicit(&slot->arrived_step, sequence, memory_order_release);
    if (count_down(h, sequence))
        futex_wake_all(&h->arrive.done);
}
