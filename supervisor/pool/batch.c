/* SPDX-License-Identifier: MIT */
/* The work queue: a cursor over the grid's numbers, a list of what came back, a list of retries. */
#include "supervisor/pool/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "supervisor/pool/array.h"

#define WORK_SCAN_MAX 100000 /* numbers looked at in one call */

int work_init(struct work *w, const struct config *config, struct err *err)
{
    *w = (struct work){.config = config, .numbers_n = config->combinations_n};
    w->left_n = grid_count(config);
    /* Pages of the map come into being as combinations get done. */
    w->done_bytes = (size_t)(config->combinations_n / 8 + 1);
    void *map = mmap(NULL, w->done_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return err_set_errno(err, ERR_SYSTEM, errno,
                             "no memory for a bit for each of %llu combinations",
                             (unsigned long long)config->combinations_n);
    w->done = map;
    return 0;
}

void work_fini(struct work *w)
{
    if (w->done)
        munmap(w->done, w->done_bytes);
    free(w->requeued);
    free(w->retry);
    *w = (struct work){0};
}

bool work_is_done(const struct work *w, uint64_t combination)
{
    return combination < w->numbers_n && (w->done[combination / 8] >> (combination % 8) & 1);
}

bool work_mark_done(struct work *w, uint64_t combination)
{
    if (combination >= w->numbers_n || work_is_done(w, combination))
        return false;
    w->done[combination / 8] |= (uint8_t)(1u << (combination % 8));
    return true;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool work_combo(const struct work *w, uint64_t n, struct combo *ret_combo)
{
    if (!grid_combo(w->config, n, ret_combo))
        return false;
    ret_combo->combination = n;
    ret_combo->container_seq = w->first_container_seq + n;
    return true;
}

/* What came back first, lowest numbers first, then the grid. */
uint32_t work_take(struct work *w, uint32_t most, struct combo *ret_combos, uint64_t *ret_numbers)
{
    uint32_t n = 0;
    if (w->requeued_n > 0) {
        qsort(w->requeued, w->requeued_n, sizeof *w->requeued, compare_u64);
        while (n < most && n < w->requeued_n) {
            ret_numbers[n] = w->requeued[n];
            (void)work_combo(w, ret_numbers[n], &ret_combos[n]); /* it ran before */
            n++;
        }
        w->requeued_n -= n;
        memmove(w->requeued, w->requeued + n, w->requeued_n * sizeof *w->requeued);
        w->left_n -= n;
        return n;
    }
    for (uint32_t scanned = 0; n < most && scanned < WORK_SCAN_MAX && w->next < w->numbers_n;
         scanned++) {
        uint64_t number = w->next++;
        if (work_is_done(w, number) || !work_combo(w, number, &ret_combos[n]))
            continue;
        ret_numbers[n++] = number;
        w->left_n--;
    }
    return n;
}

bool work_is_given_out(const struct work *w)
{
    return w->requeued_n == 0 && w->next >= w->numbers_n;
}

int work_give_back(struct work *w, uint64_t combination)
{
    void *array = w->requeued;
    int r = array_grow(&array, &w->requeued_capacity, w->requeued_n, sizeof *w->requeued);
    w->requeued = array;
    if (r < 0)
        return r;
    w->requeued[w->requeued_n++] = combination;
    w->left_n++;
    return 0;
}

int work_push_retry(struct work *w, const struct work_retry *retry)
{
    void *array = w->retry;
    int r = array_grow(&array, &w->retry_capacity, w->retry_n, sizeof *w->retry);
    w->retry = array;
    if (r < 0)
        return r;
    w->retry[w->retry_n++] = *retry;
    return 0;
}

bool work_pop_retry(struct work *w, struct work_retry *ret_retry, struct combo *ret_combo)
{
    if (w->retry_n == 0)
        return false;
    *ret_retry = w->retry[0];
    memmove(w->retry, w->retry + 1, --w->retry_n * sizeof *w->retry);
    (void)work_combo(w, ret_retry->combination, ret_combo); /* it ran before */
    return true;
}

int batch_ref_set(struct work_batch *b, uint64_t id, const uint64_t *numbers, uint32_t n)
{
    *b = (struct work_batch){.id = id, .n = n};
    b->combination = malloc(n * sizeof *b->combination);
    b->is_done = calloc(n / 64 + 1, sizeof *b->is_done);
    if (!b->combination || !b->is_done) {
        batch_ref_fini(b);
        return -ENOMEM;
    }
    memcpy(b->combination, numbers, n * sizeof *numbers);
    return 0;
}

void batch_ref_fini(struct work_batch *b)
{
    free(b->combination);
    free(b->is_done);
    *b = (struct work_batch){0};
}

int64_t batch_ref_find(struct work_batch *b, uint64_t combination)
{
    if (b->hint < b->n && b->combination[b->hint] == combination)
        return b->hint++;
    uint64_t *found =
        b->n ? bsearch(&combination, b->combination, b->n, sizeof combination, compare_u64) : NULL;
    return found ? found - b->combination : -1;
}

bool batch_ref_is_done(const struct work_batch *b, uint32_t idx)
{
    return b->is_done[idx / 64] >> (idx % 64) & 1;
}

void batch_ref_mark_done(struct work_batch *b, uint32_t idx)
{
    b->is_done[idx / 64] |= UINT64_C(1) << (idx % 64);
    b->done_n++;
}
