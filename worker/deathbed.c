/* SPDX-License-Identifier: MIT */
/* Last words: what a dying worker writes into its slot. A worker never tries to survive its own
 * bug. */
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "worker/serve.h"

#define DEATHBED_STACK_BYTES (64 << 10)

static struct slot *own_slot;
static char stack[DEATHBED_STACK_BYTES];

static const struct {
    int number;
    const char *words;
} deadly[] = {
    {SIGSEGV, "SIGSEGV: invalid memory access"},
    {SIGBUS, "SIGBUS: memory that is not there"},
    {SIGFPE, "SIGFPE: arithmetic fault"},
    {SIGILL, "SIGILL: illegal instruction"},
    {SIGABRT, "SIGABRT: aborted"},
    {SIGSYS, "SIGSYS: forbidden system call"},
};
#define DEADLY_N (sizeof deadly / sizeof deadly[0])

/* Async-signal-safe: plain stores, then the signal kills as if there were no handler. */
static void die(int number)
{
    for (size_t i = 0; i < DEADLY_N; i++)
        if (deadly[i].number == number)
            slot_last_words(own_slot, number, deadly[i].words);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void deathbed_prepare(struct slot *slot)
{
    own_slot = slot;
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    (void)sigaltstack(&alternate, NULL); /* without it a stack overflow dies without words */
    struct sigaction action = {.sa_handler = die, .sa_flags = SA_ONSTACK | SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < DEADLY_N; i++)
        (void)sigaction(deadly[i].number, &action, NULL);
}
