/* SPDX-License-Identifier: MIT */
/* Orders that wait for a bar, and the brackets of open positions, of one account. */
#include "worker/broker/order_book.h"

#include <errno.h>
#include <string.h>

int order_book_init(struct order_book *book, struct arena *arena, uint32_t symbols_n)
{
    *book = (struct order_book){.capacity = 2 * symbols_n};
    book->order = arena_take(arena, book->capacity * sizeof *book->order);
    book->bracket = arena_take_zeroed(arena, symbols_n * sizeof *book->bracket);
    book->use = arena_take_zeroed(arena, symbols_n * sizeof *book->use);
    if (!book->order || !book->bracket || !book->use)
        return -ENOMEM;
    book->symbols_n = symbols_n;
    return 0;
}

static bool is_replaced(const struct order *old, const struct order *by)
{
    if (old->symbol_idx != by->symbol_idx)
        return false;
    if (old->is_close == by->is_close)
        return true;
    return by->is_close && old->bar < by->bar && by->side != old->side;
}

void order_book_place(struct order_book *book, const struct order *order)
{
    for (uint32_t i = 0; i < book->n;)
        if (is_replaced(&book->order[i], order))
            order_book_drop(book, i);
        else
            i++;
    if (book->n < book->capacity)
        book->order[book->n++] = *order;
}

void order_book_drop(struct order_book *book, uint32_t i)
{
    memmove(&book->order[i], &book->order[i + 1], (book->n - i - 1) * sizeof *book->order);
    book->n--;
}

void order_book_drop_symbol(struct order_book *book, uint16_t symbol_idx)
{
    for (uint32_t i = 0; i < book->n;)
        if (book->order[i].symbol_idx == symbol_idx)
            order_book_drop(book, i);
        else
            i++;
}

void order_book_set_bracket(struct order_book *book, uint16_t symbol_idx,
                            const struct bracket *bracket)
{
    struct bracket *b = &book->bracket[symbol_idx];
    book->brackets_n += !b->is_set;
    *b = *bracket;
    b->is_set = true;
}

void order_book_unset_bracket(struct order_book *book, uint16_t symbol_idx)
{
    struct bracket *b = &book->bracket[symbol_idx];
    book->brackets_n -= b->is_set;
    b->is_set = false;
}

void order_book_clear(struct order_book *book)
{
    book->n = 0;
    book->brackets_n = 0;
    if (book->symbols_n) {
        memset(book->bracket, 0, book->symbols_n * sizeof *book->bracket);
        memset(book->use, 0, book->symbols_n * sizeof *book->use);
    }
}
