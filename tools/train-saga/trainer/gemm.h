// Matrix products of bfloat16 pairs with float sums: AVX-512 BF16 (vdpbf16ps), one thread.
//
// Both operands are arrays of pairs, a pair being the values at k and k + 1 in one 32-bit word. A may have any strides, so one kernel
// serves a matrix whose rows run along k (rows()) and one whose columns do (pairs()).
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { MR = 8, NR = 48, KC = 128, MC = 512 };

typedef uint32_t pair;

static inline __attribute__((always_inline)) void kernel(float *c, long ldc, const pair *a, long row, long step, const pair *panel,
    int count, const int vectors, int add)
{
    __m512 sum[MR][3];
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
        for (int j = 0; j < vectors; j++)
            sum[i][j] = add ? _mm512_loadu_ps(c + i * ldc + j * 16) : _mm512_setzero_ps();
    for (int k = 0; k < count; k++) {
        __m512bh b[3];
#pragma GCC unroll 3
        for (int j = 0; j < vectors; j++)
            b[j] = (__m512bh)_mm512_load_si512(panel + (k * vectors + j) * 16);
#pragma GCC unroll 8
        for (int i = 0; i < MR; i++) {
            __m512bh x = (__m512bh)_mm512_set1_epi32(a[i * row + k * step]);
#pragma GCC unroll 3
            for (int j = 0; j < vectors; j++)
                sum[i][j] = _mm512_dpbf16_ps(sum[i][j], x, b[j]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
        for (int j = 0; j < vectors; j++)
            _mm512_storeu_ps(c + i * ldc + j * 16, sum[i][j]);
}

// C[m][n] (+)= sum over k of A[m][k] B[k][n]. a: pair (m, k) at m * row + k * step; b: pair (k, n) at k * ldb + n; k counts pairs.
// m is a multiple of 8, n of 16.
static void gemm(float *c, long ldc, const pair *a, long row, long step, const pair *b, long ldb, int m, int n, int k, int add)
{
    pair panel[KC * NR] __attribute__((aligned(64)));
    for (int m0 = 0; m0 < m; m0 += MC)
        for (int k0 = 0; k0 < k; k0 += KC)
            for (int n0 = 0; n0 < n; n0 += NR) {
                int rows = m - m0 < MC ? m - m0 : MC, count = k - k0 < KC ? k - k0 : KC, vectors = n - n0 < NR ? (n - n0) / 16 : 3;
                for (int i = 0; i < count; i++)
                    memcpy(panel + i * vectors * 16, b + (k0 + i) * ldb + n0, vectors * 64);
                for (int i = 0; i < rows; i += MR) {
                    float *to = c + (m0 + i) * ldc + n0;
                    const pair *from = a + (m0 + i) * row + k0 * step;
                    if (vectors == 3) kernel(to, ldc, from, row, step, panel, count, 3, add || k0);
                    else if (vectors == 2) kernel(to, ldc, from, row, step, panel, count, 2, add || k0);
                    else kernel(to, ldc, from, row, step, panel, count, 1, add || k0);
                }
            }
}

// Pairs along rows: the float matrix [rows][columns] as bfloat16, element for element; count is a multiple of 16.
static void rows(pair *to, const float *from, long count)
{
    for (long i = 0; i < count; i += 16)
        _mm256_storeu_si256((__m256i *)(to + i / 2), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i)));
}

// Pairs along columns: to[r / 2][c] = (from[r][c], from[r + 1][c]). An even number of rows, columns a multiple of 16.
static void pairs(pair *to, const float *from, long count, long columns)
{
    for (long r = 0; r < count; r += 2)
        for (long c = 0; c < columns; c += 16) {
            __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + r * columns + c)));
            __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + (r + 1) * columns + c)));
            _mm512_storeu_si512(to + r / 2 * columns + c, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
}

// Pairs of the transpose: to[c / 2][r] = (from[r][c], from[r][c + 1]), the rows of from being stride floats apart.
static void transposed(pair *to, const float *from, long count, long columns, long stride)
{
    pair line[2048];
    for (long r = 0; r < count; r++) {
        rows(line, from + r * stride, columns);
        for (long c = 0; c < columns / 2; c++)
            to[c * count + r] = line[c];
    }
}
