/* SPDX-License-Identifier: MIT */
/* The memory file of slots. Its size is sealed: a worker that truncates what it was lent cannot
 * make the supervisor fault. What a worker may have written is read as data and never trusted. */
#include "shm/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const phase_names[SLOT_PHASE_N] = {
#define X(symbol, name) [PHASE_##symbol] = name,
    SLOT_PHASES(X)
#undef X
};

const char *slot_phase_name(enum slot_phase phase)
{
    return (unsigned)phase < SLOT_PHASE_N ? phase_names[phase] : "?";
}

static size_t size_of(uint32_t slots_n)
{
    return sizeof(struct slots_header) + slots_n * sizeof(struct slot);
}

static int map_slots(int fd, uint32_t slots_n, struct slots *ret_slots)
{
    size_t size = size_of(slots_n);
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    *ret_slots = (struct slots){
        .header = base,
        .slot = (struct slot *)((uint8_t *)base + sizeof(struct slots_header)),
        .slots_n = slots_n,
        .size_bytes = size,
    };
    return 0;
}

int slots_create(uint32_t slots_n, struct slots *ret_slots, int *ret_fd, struct err *err)
{
    if (slots_n == 0 || slots_n > SLOTS_MAX)
        return err_set(err, ERR_BUG, "%u worker slots were asked for, 1 to %d can be had", slots_n,
                       SLOTS_MAX);

    int fd = memfd_create("admf-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_set_errno(err, ERR_SYSTEM, errno, "worker slots: cannot create a memory file");

    struct slots slots;
    int rc = ftruncate(fd, (off_t)size_of(slots_n)) < 0 ? -errno : 0;
    if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        rc = -errno;
    if (rc == 0)
        rc = map_slots(fd, slots_n, &slots);
    if (rc < 0) {
        (void)close(fd);
        return err_set_errno(err, ERR_SYSTEM, rc, "worker slots: cannot set up %u of them",
                             slots_n);
    }
    slots.header->magic = SLOTS_MAGIC;
    slots.header->version = SHM_LAYOUT_VERSION;
    slots.header->slots_n = slots_n;
    slots.header->size_bytes = slots.size_bytes;
    *ret_slots = slots;
    *ret_fd = fd;
    return 0;
}

int slots_open(int fd, struct slots *ret_slots, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set_errno(err, ERR_SYSTEM, errno, "worker slots: descriptor %d", fd);

    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || st.st_size < (off_t)size_of(1) ||
        st.st_size > (off_t)size_of(SLOTS_MAX))
        return err_set(err, ERR_DATA, "worker slots: descriptor %d is no file of slots", fd);

    struct slots slots;
    uint32_t slots_n =
        (uint32_t)(((size_t)st.st_size - sizeof(struct slots_header)) / sizeof(struct slot));
    int rc = map_slots(fd, slots_n, &slots);
    if (rc < 0)
        return err_set_errno(err, ERR_SYSTEM, rc, "worker slots: cannot map descriptor %d", fd);
    const struct slots_header *h = slots.header;
    if (h->magic != SLOTS_MAGIC || h->version != SHM_LAYOUT_VERSION || h->slots_n != slots_n ||
        h->size_bytes != (uint64_t)st.st_size || slots.size_bytes != (size_t)st.st_size) {
        slots_close(&slots);
        return err_set(err, ERR_DATA,
                       "worker slots: descriptor %d has another layout; supervisor and worker must "
                       "come from one build",
                       fd);
    }
    *ret_slots = slots;
    return 0;
}

void slots_close(struct slots *slots)
{
    if (slots->header)
        (void)munmap(slots->header, slots->size_bytes);
    *slots = (struct slots){0};
}

/* The former owner is dead: nobody else writes. */
void slot_claim(struct slots *slots, uint32_t idx, uint32_t worker)
{
    struct slot *slot = &slots->slot[idx];

    slot_release(slots, idx);
    atomic_store_explicit(&slot->state, SLOT_STARTING, memory_order_relaxed);
    /* The worker itself learns its slot by exec, which orders these stores before its own. */
    atomic_store_explicit(&slot->worker, worker, memory_order_relaxed);
}

void slot_release(struct slots *slots, uint32_t idx)
{
    struct slot *slot = &slots->slot[idx];

    atomic_store_explicit(&slot->worker, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->fills_expected, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->state, SLOT_FREE, memory_order_relaxed);
    atomic_store_explicit(&slot->phase, PHASE_NONE, memory_order_relaxed);
    atomic_store_explicit(&slot->combination, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->bar, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->symbol_idx, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->heartbeat, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->started_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->arrived_step, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->signals_sent, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->words_signal, 0, memory_order_relaxed);
    memset(slot->words, 0, sizeof slot->words);
}

void slot_last_words(struct slot *slot, int signal_number, const char *text)
{
    /* The first words are the last words: a fault inside a handler must not replace them. */
    if (atomic_load_explicit(&slot->words_signal, memory_order_relaxed) != 0)
        return;
    for (size_t i = 0; i + 1 < sizeof slot->words && text[i]; i++)
        slot->words[i] = text[i];
    /* Pairs with the acquire load in slot_read_last_words(): the text is there before the number.
     */
    atomic_store_explicit(&slot->words_signal, (uint32_t)signal_number, memory_order_release);
}

int slot_read_last_words(const struct slot *slot, char out[static LAST_WORDS_BYTES])
{
    char words[sizeof slot->words];
    /* Pairs with the release store in slot_last_words(). */
    uint32_t signal_number = atomic_load_explicit(&slot->words_signal, memory_order_acquire);

    memcpy(words, slot->words, sizeof words);
    words[sizeof words - 1] = '\0';
    (void)err_printable(words, out, LAST_WORDS_BYTES);
    return signal_number <= 64 ? (int)signal_number : 0;
}
