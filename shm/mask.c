/* SPDX-License-Identifier: MIT */
/* Comparisons of doubles as bits, 16 rows at a time where the machine has SSE2. */
#include "shm/mask.h"

static uint64_t plain_word(enum expr_kind kind, const double *left, struct mask_right right,
                           uint32_t rows_n)
{
    uint64_t word = 0;
    for (uint32_t i = 0; i < rows_n; i++) {
        double b = right.column ? right.column[i] : right.value;
        word |= (uint64_t)expr_compare(kind, left[i], b) << i;
    }
    return word;
}

void mask_compare_plain(enum expr_kind kind, const double *left, struct mask_right right,
                        uint32_t rows_n, uint64_t *words)
{
    for (uint32_t at = 0; at < rows_n; at += 64) {
        uint32_t n = rows_n - at < 64 ? rows_n - at : 64;
        words[at / 64] = plain_word(kind, left + at, right, n);
        if (right.column)
            right.column += 64;
    }
}

#if defined(__SSE2__)

#include <emmintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m128d compare_pair(enum expr_kind kind, __m128d a, __m128d b)
{
    switch (kind) {
    case EXPR_LT:
        return _mm_cmplt_pd(a, b);
    case EXPR_LE:
        return _mm_cmple_pd(a, b);
    case EXPR_GT:
        return _mm_cmpgt_pd(a, b);
    case EXPR_GE:
        return _mm_cmpge_pd(a, b);
    case EXPR_EQ:
        return _mm_cmpeq_pd(a, b);
    default:
        return _mm_or_pd(_mm_cmplt_pd(a, b), _mm_cmpgt_pd(a, b));
    }
}

/* Four rows as four 32-bit masks. */
INLINE __m128i compare_four(enum expr_kind kind, const double *a, const double *b, __m128d value)
{
    __m128d low = compare_pair(kind, _mm_loadu_pd(a), b ? _mm_loadu_pd(b) : value);
    __m128d high = compare_pair(kind, _mm_loadu_pd(a + 2), b ? _mm_loadu_pd(b + 2) : value);
    return _mm_castps_si128(
        _mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), _MM_SHUFFLE(2, 0, 2, 0)));
}

INLINE uint64_t compare_sixteen(enum expr_kind kind, const double *a, const double *b,
                                __m128d value)
{
    __m128i m[4];
    for (int i = 0; i < 4; i++)
        m[i] = compare_four(kind, a + 4 * i, b ? b + 4 * i : b, value);
    __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(m[0], m[1]), _mm_packs_epi32(m[2], m[3]));
    return (uint64_t)(uint32_t)_mm_movemask_epi8(bytes);
}

INLINE void compare_words(enum expr_kind kind, const double *a, const double *b, double value,
                          uint32_t words_n, uint64_t *words)
{
    __m128d both = _mm_set1_pd(value);
    for (uint32_t w = 0; w < words_n; w++) {
        uint64_t word = 0;
        for (uint32_t i = 0; i < 64; i += 16)
            word |= compare_sixteen(kind, a + 64 * w + i, b ? b + 64 * w + i : b, both) << i;
        words[w] = word;
    }
}

/* One loop for each comparison, so that none is decided within. */
INLINE void compare_kind(enum expr_kind kind, const double *a, const double *b, double value,
                         uint32_t words_n, uint64_t *words)
{
    switch (kind) {
    case EXPR_LT:
        compare_words(EXPR_LT, a, b, value, words_n, words);
        break;
    case EXPR_LE:
        compare_words(EXPR_LE, a, b, value, words_n, words);
        break;
    case EXPR_GT:
        compare_words(EXPR_GT, a, b, value, words_n, words);
        break;
    case EXPR_GE:
        compare_words(EXPR_GE, a, b, value, words_n, words);
        break;
    case EXPR_EQ:
        compare_words(EXPR_EQ, a, b, value, words_n, words);
        break;
    default:
        compare_words(EXPR_NE, a, b, value, words_n, words);
        break;
    }
}

void mask_compare(enum expr_kind kind, const double *left, struct mask_right right, uint32_t rows_n,
                  uint64_t *words)
{
    uint32_t full_n = rows_n / 64;
    if (right.column) {
        compare_kind(kind, left, right.column, 0.0, full_n, words);
        right.column += 64 * (size_t)full_n;
    } else {
        compare_kind(kind, left, NULL, right.value, full_n, words);
    }
    mask_compare_plain(kind, left + 64 * (size_t)full_n, right, rows_n % 64, words + full_n);
}

#else

void mask_compare(enum expr_kind kind, const double *left, struct mask_right right, uint32_t rows_n,
                  uint64_t *words)
{
    mask_compare_plain(kind, left, right, rows_n, words);
}

#endif
