// One step of a DeepSeek-V3 model on CPU cores: new tokens of many sequences, absorbed attention over their latents.
//
// Why not PyTorch: a step of a small model is hundreds of tiny operations, and calling them takes longer than carrying
// them out. Here the whole step is one call, the threads meet at barriers that spin, and weights are read where they
// lie. Every sum runs in an order that depends on its own length alone, so the result for a token does not depend, to
// the last bit, on which other tokens are in the step.
//
// Weights are float32 or bfloat16; everything else is float32.

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <time.h>
#include <vector>

#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#if defined(__AVX512F__)
constexpr int VL = 16, MR = 4, NR = 4;  // floats in a register; rows and columns of a tile
#elif defined(__AVX__)
constexpr int VL = 8, MR = 2, NR = 4;
#else
constexpr int VL = 4, MR = 4, NR = 4;
#endif

using Bf16 = uint16_t;
typedef float Vec __attribute__((vector_size(VL * 4)));
typedef int32_t IVec __attribute__((vector_size(VL * 4)));
typedef uint32_t UVec __attribute__((vector_size(VL * 4)));
typedef uint16_t HVec __attribute__((vector_size(VL * 2)));

static inline Vec load(const float* p) {
    Vec v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
static inline Vec load(const Bf16* p) {
    HVec h;
    std::memcpy(&h, p, sizeof h);
    UVec u = __builtin_convertvector(h, UVec) << 16;
    return (Vec)u;
}
// Keeps a value in a register: compilers read it again from memory at each use, and reading is what limits a tile.
static inline void hold(Vec& v) {
#if defined(__x86_64__)
    asm("" : "+v"(v));
#elif defined(__aarch64__)
    asm("" : "+w"(v));
#endif
}
static inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
// sum + a * b, rounded once where the processor can. Left to itself, a compiler fuses them in one loop and not in the
// next, and the last bit of a token's result would depend on which loop it went through.
static inline Vec fused(Vec sum, Vec a, Vec b) {
#if defined(__AVX512F__)
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
#elif defined(__AVX__) && defined(__FMA__)
    return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
#elif defined(__aarch64__)
    return (Vec)vfmaq_f32((float32x4_t)sum, (float32x4_t)a, (float32x4_t)b);
#else
    return sum + a * b;
#endif
}
static inline float one(const float* p) { return *p; }
static inline float one(const Bf16* p) {
    uint32_t u = uint32_t(*p) << 16;
    float f;
    std::memcpy(&f, &u, sizeof f);
    return f;
}
static inline float sum(Vec v) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)v);
#else
    float t[VL];
    std::memcpy(t, &v, sizeof v);
    for (int half = VL / 2; half; half /= 2)
        for (int i = 0; i < half; i++) t[i] += t[i + half];
    return t[0];
#endif
}

static float largest(const float* x, int n) {
    float top = x[0];
    int i = 0;
    if (n >= VL) {
        Vec tops = load(x);
        for (; i + VL <= n; i += VL) {
            Vec v = load(x + i);
            tops = v > tops ? v : tops;
        }
        for (int j = 0; j < VL; j++) top = tops[j] > top ? tops[j] : top;
    }
    for (; i < n; i++) top = x[i] > top ? x[i] : top;
    return top;
}

// e^x to within two units in the last place; NaN stays NaN.
static inline Vec exponential(Vec x) {
    x = x < -87.0f ? Vec{} - 87.0f : x;
    x = x > 88.0f ? Vec{} + 88.0f : x;
    const float magic = 12582912.0f;  // adding it rounds to a whole number
    Vec k = fused(Vec{} + magic, x, Vec{} + 1.44269504f) - magic;
    Vec r = fused(fused(x, k, Vec{} - 0.693359375f), k, Vec{} + 2.12194440e-4f);
    Vec p = Vec{} + 1.9875691500e-4f;
    p = fused(Vec{} + 1.3981999507e-3f, p, r);
    p = fused(Vec{} + 8.3334519073e-3f, p, r);
    p = fused(Vec{} + 4.1665795894e-2f, p, r);
    p = fused(Vec{} + 1.6666665459e-1f, p, r);
    p = fused(Vec{} + 5.0000001201e-1f, p, r);
    p = fused(r, p * r, r) + 1.0f;
    IVec power = (__builtin_convertvector(k, IVec) + 127) << 23;
    return p * (Vec)power;
}
static inline float exponential(float x) { return exponential(Vec{} + x)[0]; }

// Rows times matrix: y(m, n) = sum over k of x[m][k] * w[n * ldw + k]. `put(m, n, values)` takes some neighbours of a row.

template <int M, int N>
static inline void sums(const Vec (&acc)[M][N], float (&out)[M][N]) {
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) out[i][j] = sum(acc[i][j]);
}
#if defined(__AVX512F__)
// Sixteen sums at once, adding in the same order as `sum`: halves, then quarters, ...
static inline void sums(const Vec (&acc)[4][4], float (&out)[4][4]) {
    __m512 w[8], x[4], y[2];
    const auto at = [&](int q) { return (__m512)acc[q % 4][q / 4]; };
    for (int i = 0; i < 8; i++)
        w[i] = _mm512_add_ps(_mm512_shuffle_f32x4(at(2 * i), at(2 * i + 1), 0x44),
                             _mm512_shuffle_f32x4(at(2 * i), at(2 * i + 1), 0xee));
    for (int i = 0; i < 4; i++)
        x[i] = _mm512_add_ps(_mm512_shuffle_f32x4(w[2 * i], w[2 * i + 1], 0x88),
                             _mm512_shuffle_f32x4(w[2 * i], w[2 * i + 1], 0xdd));
    for (int i = 0; i < 2; i++) {
        __m512d a = (__m512d)x[2 * i], b = (__m512d)x[2 * i + 1];
        y[i] = _mm512_add_ps((__m512)_mm512_unpacklo_pd(a, b), (__m512)_mm512_unpackhi_pd(a, b));
    }
    __m512 z = _mm512_add_ps(_mm512_shuffle_ps(y[0], y[1], 0x88), _mm512_shuffle_ps(y[0], y[1], 0xdd));
    std::memcpy(out, &z, sizeof z);
}
#endif

template <int M, int N, class W, class Put>
static inline void tile(const float* const* x, const W* w, long ldw, int K, int m0, int n0, Put put) {
    Vec acc[M][N] = {};
    int k = 0;
    for (; k + VL <= K; k += VL) {
        Vec b[N];
        for (int j = 0; j < N; j++) {
            b[j] = load(w + j * ldw + k);
            hold(b[j]);
            __builtin_prefetch(w + (j + 2 * N) * ldw + k);
        }
        for (int i = 0; i < M; i++) {
            Vec a = load(x[i] + k);
            hold(a);
            for (int j = 0; j < N; j++) acc[i][j] = fused(acc[i][j], a, b[j]);
        }
    }
    float out[M][N];
    sums(acc, out);
    for (int i = 0; i < M; i++) {
        for (int j = 0; k < K && j < N; j++)
            for (int r = k; r < K; r++) out[i][j] = std::fma(x[i][r], one(w + j * ldw + r), out[i][j]);
        put(m0 + i, n0, out[i]);
    }
}

template <int M, class W, class Put>
static inline void band(const float* const* x, const W* w, long ldw, int K, int m, int n0, int n1, Put put) {
    int n = n0;
    for (; n + NR <= n1; n += NR) tile<M, NR>(x + m, w + n * ldw, ldw, K, m, n, put);
    for (; n < n1; n++) tile<M, 1>(x + m, w + n * ldw, ldw, K, m, n, put);
}

template <class W, class Put>
static void multiply(const float* const* x, int M, const W* w, long ldw, int K, int n0, int n1, Put put) {
    const int fit = 16384 / int(sizeof(W)) / K / NR * NR, width = fit > NR ? fit : NR;  // half of the first cache
    for (int n = n0; n < n1; n += width) {
        int end = n + width < n1 ? n + width : n1, m = 0;
        for (; m + MR <= M; m += MR) band<MR>(x, w, ldw, K, m, n, end, put);
        if (M - m >= 2) band<2>(x, w, ldw, K, m, n, end, put), m += 2;
        if (M - m >= 1) band<1>(x, w, ldw, K, m, n, end, put);
    }
}

// The common ways to `put`: into the rows of a matrix.
#define ADD(matrix) [&](int m, int n, const auto& v) { for (auto& value : v) (matrix)[m][n++] += value; }
#define INTO(matrix) [&](int m, int n, const auto& v) { std::memcpy((matrix)[m] + n, v, sizeof v); }

// Weighted sums of rows: out[m][c] = sum over t of w[m][t] * a[t * lda + c], c < C.

template <int M, int N, class A>
static inline void blend(const float* const* w, const A* a, long lda, int T, float* const* out, int c) {
    Vec acc[M][N] = {};
    for (int t = 0; t < T; t++) {
        Vec b[N];
        for (int j = 0; j < N; j++) hold(b[j] = load(a + t * lda + c + j * VL));
        for (int i = 0; i < M; i++) {
            Vec f = Vec{} + w[i][t];
            hold(f);
            for (int j = 0; j < N; j++) acc[i][j] = fused(acc[i][j], f, b[j]);
        }
    }
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) store(out[i] + c + j * VL, acc[i][j]);
}

template <class A>
static void mix(const float* const* w, int M, const A* a, long lda, int T, int C, float* const* out) {
    for (int m = 0; m < M;) {
        int rows = M - m >= MR ? MR : 1, c = 0;
        for (; c + NR * VL <= C; c += NR * VL)
            rows == MR ? blend<MR, NR>(w + m, a, lda, T, out + m, c) : blend<1, NR>(w + m, a, lda, T, out + m, c);
        for (; c + VL <= C; c += VL)
            rows == MR ? blend<MR, 1>(w + m, a, lda, T, out + m, c) : blend<1, 1>(w + m, a, lda, T, out + m, c);
        for (; c < C; c++)
            for (int i = 0; i < rows; i++) {
                float total = 0;
                for (int t = 0; t < T; t++) total = std::fma(w[m + i][t], one(a + t * lda + c), total);
                out[m + i][c] = total;
            }
        m += rows;
    }
}

template <class W>
static void normalise(const float* x, const W* weight, int D, float eps, float* out) {
    Vec squares = {};
    int d = 0;
    for (; d + VL <= D; d += VL) {
        Vec v = load(x + d);
        squares = fused(squares, v, v);
    }
    float total = sum(squares);
    for (; d < D; d++) total = std::fma(x[d], x[d], total);
    float inverse = 1.0f / std::sqrt(total / D + eps);
    for (d = 0; d + VL <= D; d += VL) store(out + d, load(x + d) * inverse * load(weight + d));
    for (; d < D; d++) out[d] = x[d] * inverse * one(weight + d);
}

// Pairs (x0, x1), (x2, x3), ... turned; all first members come out before all second ones (`rope.rotate`).
static void rotate(const float* x, const float* cos, const float* sin, int half, float* out) {
    for (int i = 0; i < half; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        out[i] = a * cos[i] - b * sin[i];
        out[half + i] = b * cos[i] + a * sin[i];
    }
}

// Of the scores times `scale`.
static void softmax(float* s, int T, float scale) {
    const float top = largest(s, T);
    Vec sums = {};
    int t = 0;
    for (; t + VL <= T; t += VL) {
        Vec e = exponential((load(s + t) - top) * scale);
        store(s + t, e);
        sums += e;
    }
    float total = sum(sums);
    for (; t < T; t++) total += s[t] = exponential((s[t] - top) * scale);
    float inverse = 1.0f / total;
    for (t = 0; t < T; t++) s[t] *= inverse;
}

// Choosing a token from logits: temperature, then top_k, min_p and top_p, then the inverse of the
// distribution function at `chance` (the rules of `sampler.py`).

struct Choice {  // in the order of `native/__init__.py`
    float temperature, top_p, min_p;
    int32_t top_k;
    double chance;
};

// The largest t, by its bits, for which `enough(t)` holds; it holds for 0.
template <class Enough>
static float threshold(Enough enough) {
    uint32_t low = 0, high = 0x7f800000;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        float t;
        std::memcpy(&t, &middle, sizeof t);
        (enough(t) ? low : high) = middle;
    }
    float t;
    std::memcpy(&t, &low, sizeof t);
    return t;
}

// Sum and number of the values that are at least t.
static void above(const float* p, int n, float t, float& total, float& count) {
    Vec totals = {}, counts = {};
    int i = 0;
    for (; i + VL <= n; i += VL) {
        Vec v = load(p + i);
        totals += v >= t ? v : Vec{};
        counts += v >= t ? Vec{} + 1.0f : Vec{};
    }
    total = sum(totals), count = sum(counts);
    for (; i < n; i++)
        if (p[i] >= t) total += p[i], count += 1;
}

// The watermark on a distribution, by the rules of `governance/watermark/scheme.py`, to the last bit.

struct Mark {  // in the order of `native/__init__.py`
    int32_t scheme;  // 0 none, 1 tournament, 2 KGW
    uint64_t key[2], context[2];
};

constexpr int CANDIDATES = 256, LAYERS = 30;
typedef uint64_t LVec __attribute__((vector_size(VL * 4)));

// SipHash-2-4 of many words at once.
struct Sip {
    LVec v0, v1, v2, v3;
    static LVec turned(LVec x, int bits) { return x << bits | x >> (64 - bits); }
    void rounds(int count) {
        while (count--) {
            v0 += v1, v2 += v3;
            v1 = turned(v1, 13) ^ v0, v3 = turned(v3, 16) ^ v2;
            v0 = turned(v0, 32) + v3, v2 += v1;
            v1 = turned(v1, 17) ^ v2, v3 = turned(v3, 21) ^ v0;
            v2 = turned(v2, 32);
        }
    }
    void take(LVec block) {
        v3 ^= block;
        rounds(2);
        v0 ^= block;
    }
};

static void hashed(const Mark& mark, const int32_t* ids, uint64_t* words) {
    const uint64_t k0 = mark.key[0], k1 = mark.key[1];
    Sip start = {LVec{} + (k0 ^ 0x736f6d6570736575), LVec{} + (k1 ^ 0x646f72616e646f6d),
                 LVec{} + (k0 ^ 0x6c7967656e657261), LVec{} + (k1 ^ 0x7465646279746573)};
    start.take(LVec{} + mark.context[0]);
    start.take(LVec{} + mark.context[1]);
    constexpr int lanes = VL / 2;
    for (int i = 0; i < CANDIDATES; i += lanes) {
        LVec block;
        for (int j = 0; j < lanes; j++) block[j] = uint64_t(ids[i + j]) | uint64_t(20) << 56;
        Sip s = start;
        s.take(block);
        s.v2 ^= 0xff;
        s.rounds(4);
        const LVec word = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
        std::memcpy(words + i, &word, sizeof word);
    }
}

// The sum by halves, quarters, ..., which is the same on every machine; the values are lost.
static float added(Vec* x) {
    for (int half = CANDIDATES / VL / 2; half; half /= 2)
        for (int i = 0; i < half; i++) x[i] += x[i + half];
    float t[VL];
    std::memcpy(t, x, sizeof t);
    for (int half = VL / 2; half; half /= 2)
        for (int i = 0; i < half; i++) t[i] += t[i + half];
    return t[0];
}

// Which of VL neighbours are at least t, as bits.
static inline uint32_t reached(const float* p, float t) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)load(p), _mm512_set1_ps(t), _CMP_GE_OQ);
#elif defined(__AVX__)
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)load(p), _mm256_set1_ps(t), _CMP_GE_OQ));
#else
    uint32_t bits = 0;
    for (int j = 0; j < VL; j++) bits |= uint32_t(p[j] >= t) << j;
    return bits;
#endif
}

// How many do, of the first of every `stride` values, VL at a time.
static int reaching(const float* p, int n, int stride, float t) {
    int total = 0;
    for (int i = 0; i + VL <= n; i += stride) total += __builtin_popcount(reached(p + i, t));
    return total;
}

// The largest t that at least `least` values reach, or one that at most `most` reach besides.
static float edge(const float* p, int n, int stride, int least, int most) {
    uint32_t low = 0, high = 0x7f800000;
    for (int found = n; high - low > 1 && found > most;) {
        const uint32_t middle = low + (high - low) / 2;
        float t;
        std::memcpy(&t, &middle, sizeof t);
        const int more = reaching(p, n, stride, t);
        if (more >= least) low = middle, found = more;
        else high = middle;
    }
    float t;
    std::memcpy(&t, &low, sizeof t);
    return t;
}

// The most likely tokens in the order of their ids, of equals the first ones; false where values are no numbers.
static bool likely(const float* p, int n, int32_t* ids) {
    thread_local std::vector<int32_t> near;
    thread_local std::vector<float> values;
    near.resize(n), values.resize(n + VL);
    int k = 0;
    const auto gather = [&](float t) {
        int i = k = 0;
        for (; i + VL <= n; i += VL)
            for (uint32_t bits = reached(p + i, t); bits; bits &= bits - 1) near[k++] = i + __builtin_ctz(bits);
        for (; i < n; i++)
            if (p[i] >= t) near[k++] = i;
    };
    // An eighth of the values says roughly where the edge is, so that few are left to look at closely.
    gather(n > 8 * CANDIDATES ? edge(p, n, 8 * VL, CANDIDATES / 5, CANDIDATES / 3) : 0.0f);
    if (k < CANDIDATES) gather(0.0f);
    if (k < CANDIDATES) return false;
    for (int i = 0; i < k; i++) values[i] = p[near[i]];
    for (int i = k; i < k + VL; i++) values[i] = -1.0f;
    const float least = edge(values.data(), k + VL - 1, VL, CANDIDATES, CANDIDATES);
    int equal = CANDIDATES, found = 0;
    for (int i = 0; i < k; i++) equal -= values[i] > least;
    for (int i = 0; i < k; i++)
        if (values[i] > least || (values[i] == least && equal-- > 0)) ids[found++] = near[i];
    return true;
}

static void reweigh(const Mark& mark, float* p, int n) {
    constexpr int parts = CANDIDATES / VL;
    int32_t ids[CANDIDATES];
    float values[CANDIDATES];
    uint64_t words[CANDIDATES];
    uint32_t bits[CANDIDATES];
    Vec q[parts], t[parts];
    if (n < CANDIDATES || !likely(p, n, ids)) return;
    for (int i = 0; i < CANDIDATES; i++) values[i] = p[ids[i]];
    std::memcpy(q, values, sizeof q);
    std::memcpy(t, values, sizeof t);
    const float mass = added(t);
    for (int i = 0; i < parts; i++) q[i] /= mass;
    hashed(mark, ids, words);
    for (int i = 0; i < CANDIDATES; i++) bits[i] = uint32_t(words[i]);
    UVec word[parts];
    std::memcpy(word, bits, sizeof word);
    if (mark.scheme == 2) {
        for (int i = 0; i < parts; i++) {
            const Vec green = __builtin_convertvector((IVec)(1 - ((word[i] | word[i] >> 1) & 1)), Vec);
            t[i] = q[i] = q[i] * (1.0f + green * 6.389056205749512f);
        }
        const float total = added(t);
        for (int i = 0; i < parts; i++) q[i] /= total;
    } else {
        for (int layer = 0; layer < LAYERS; layer++) {
            Vec g[parts];
            for (int i = 0; i < parts; i++) {
                g[i] = __builtin_convertvector((IVec)(word[i] >> layer & 1), Vec);
                t[i] = q[i] * g[i];
            }
            float won = added(t);
            won = won < 1 ? won : 1;
            for (int i = 0; i < parts; i++) q[i] = q[i] * ((1.0f + g[i]) - won);
        }
    }
    std::memcpy(values, q, sizeof q);
    for (int i = 0; i < CANDIDATES; i++) p[ids[i]] = values[i] * mass;
}

static int64_t choose(const float* row, int n, const Choice& c, const Mark* mark, float* p) {
    const float top = largest(row, n);
    int best = 0;
    while (best < n - 1 && row[best] != top) best++;
    if (!(c.temperature > 0)) return best;
    const float heat = 1.0f / c.temperature;
    int i = 0;
    for (; i + VL <= n; i += VL) {
        Vec x = (load(row + i) - top) * heat;
        store(p + i, x < -87.0f ? Vec{} : exponential(x));
    }
    for (; i < n; i++) {
        float x = (row[i] - top) * heat;
        p[i] = x < -87.0f ? 0.0f : exponential(x);
    }
    p[best] = 1.0f;  // whatever an overflow made of 0 times infinity
    float total, count, least = 0.0f;
    if (c.top_k > 0 && c.top_k < n)
        least = threshold([&](float t) { return above(p, n, t, total, count), count >= c.top_k; });
    if (c.min_p > least) least = c.min_p;
    if (least > 0)
        for (i = 0; i < n; i++) p[i] = p[i] < least ? 0.0f : p[i];
    if (c.top_p < 1) {
        above(p, n, 0.0f, total, count);
        const float wanted = c.top_p * total;
        least = threshold([&](float t) { return above(p, n, t, total, count), total >= wanted; });
        float sure = 0, more;
        above(p, n, std::nextafter(least, 2.0f), sure, more);
        for (i = 0; i < n; i++) {  // of equals the first ones
            if (p[i] == least && sure < wanted) sure += p[i];
            else if (p[i] <= least) p[i] = 0.0f;
        }
    }
    if (mark && mark->scheme) reweigh(*mark, p, n);
    constexpr int block = 256;
    double all = 0, part = 0;
    for (i = 0; i < n; i += block) above(p + i, n - i < block ? n - i : block, 0.0f, total, count), all += total;
    const double wanted = c.chance * all;
    int last = best;
    for (i = 0; i < n; i += block) {
        const int size = n - i < block ? n - i : block;
        above(p + i, size, 0.0f, total, count);
        if (part + total <= wanted && i + block < n) {
            part += total;
            continue;
        }
        for (int j = i; j < i + size; j++) {
            if (p[j] > 0) last = j;
            part += p[j];
            if (part > wanted && p[j] > 0) return j;
        }
    }
    return last;
}

struct Shape {  // in the order of `native/__init__.py`
    int32_t D, H, q_lora, kv, nope, rope, v, dense, experts, chosen, groups, top_groups, moe, shared, norm_topk, vocab,
        layers, dense_layers, bf16;
    float scaling, scale, eps;
};

struct Layer {
    const void *input_norm, *q_a, *q_norm, *q_b, *kv_a, *kv_norm, *kv_b, *o, *post_norm;
    const void *gate, *up, *down;  // of the dense feed-forward or the shared experts; may be null
    const void *router, *bias, *gate_up, *expert_down;
};

// The threads. Whoever calls is one of them; the others spin for a while between steps, then sleep.
//
// Threads that spin at barriers must all have a core: where another process takes one away for a while, all wait for its
// time slice to end, and a step takes ten times as long as with one thread less. So each thread compares the time of a
// step with the time it was given, and after a step in which one of them was not running the team halves itself; it
// grows again after some undisturbed steps, more of them each time that this was in vain.

static inline void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static double clock_of(clockid_t which) {
    timespec t;
    clock_gettime(which, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

class Team {
  public:
    explicit Team(int size) : size(size), all(size) {
        for (int i = 1; i < size; i++) threads.emplace_back([this, i] { work(i); });
    }
    ~Team() {
        {
            std::lock_guard<std::mutex> lock(mutex);
            over = true;
            word.store(word + (1 << 16), std::memory_order_release);
        }
        wake.notify_all();
        for (auto& thread : threads) thread.join();
    }
    template <class Job>
    void run(Job& j) {
        job = [](void* p, int i) { (*static_cast<Job*>(p))(i); };
        argument = &j;
        disturbed.store(false, std::memory_order_relaxed);
        if (size > 1) {
            {
                std::lock_guard<std::mutex> lock(mutex);
                word.store(((word >> 16) + 1) << 16 | uint64_t(size), std::memory_order_release);
            }
            wake.notify_all();
        }
        watched(0);
        barrier();
        if (all > 1) adapt();
    }
    // All that take part wait for each other.
    void barrier() {
        if (size == 1) return;
        unsigned turn = generation.load(std::memory_order_acquire);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
            arrived.store(0, std::memory_order_relaxed);
            generation.store(turn + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; generation.load(std::memory_order_acquire) == turn; spins++)
            spins < 4000 ? pause_briefly() : std::this_thread::yield();
    }
    int size;  // threads that take part now

  private:
    void watched(int index) {
        const double begun = clock_of(CLOCK_MONOTONIC), given = clock_of(CLOCK_THREAD_CPUTIME_ID);
        job(argument, index);
        const double passed = clock_of(CLOCK_MONOTONIC) - begun;
        if (passed - (clock_of(CLOCK_THREAD_CPUTIME_ID) - given) > 20e-6 + 0.2 * passed)
            disturbed.store(true, std::memory_order_relaxed);
    }
    void adapt() {
        if (disturbed.load(std::memory_order_relaxed)) {
            calm = 0;
            if (size > 1) size /= 2, patience = patience < 2048 ? 2 * patience : patience;
        } else if (++calm >= patience) {
            calm = 0;
            if (size < all) size = 2 * size < all ? 2 * size : all;
            else if (patience > 16) patience /= 2;
        }
    }
    // `word` counts the steps and says how many threads take part in each: those that do not may miss any number of them.
    void work(int index) {
        for (uint64_t seen = 0;;) {
            const auto mine = [&] {
                const uint64_t now = word.load(std::memory_order_acquire);
                return over || (now != seen && index < int(now & 0xffff));
            };
            const bool taking_part = index < int(word.load(std::memory_order_acquire) & 0xffff);
            for (int spins = taking_part ? 0 : 20000; spins < 20000 && !mine(); spins++) pause_briefly();
            if (!mine()) {
                std::unique_lock<std::mutex> lock(mutex);
                wake.wait(lock, mine);
            }
            seen = word.load(std::memory_order_acquire);
            if (over) return;
            watched(index);
            barrier();
        }
    }
    const int all;
    std::vector<std::thread> threads;
    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<uint64_t> word{0};
    std::atomic<unsigned> generation{0};
    std::atomic<int> arrived{0};
    std::atomic<bool> disturbed{false}, over{false};
    void (*job)(void*, int) = nullptr;
    void* argument = nullptr;
    int calm = 0, patience = 16;
};

struct Range {
    int from, to;
};
static Range part(int n, int index, int size) { return {int(int64_t(n) * index / size), int(int64_t(n) * (index + 1) / size)}; }

// Rows of a matrix in memory, as pointers.
struct Rows {
    std::vector<float> data;
    std::vector<float*> at;
    int width = 0;
    void shape(int n, int w) {
        width = w;
        if (data.size() < size_t(n) * w) data.resize(size_t(n) * w);
        at.resize(n);
        for (int i = 0; i < n; i++) at[i] = data.data() + size_t(i) * w;
    }
    float* operator[](int i) { return at[i]; }
    const float* const* rows() const { return at.data(); }
};

struct Tokens {  // of one step: where each stands
    int N = 0;
    std::vector<int64_t> place;
    std::vector<float*> row;  // its sequence's latents in the first layer
    int64_t layer_stride = 0;
};

class Model {
  public:
    Model(const Shape& s, int threads) : s(s), team(threads), mine(threads) {}

    Shape s;
    std::vector<Layer> layers;
    const void *embed = nullptr, *norm = nullptr, *head = nullptr;
    const void *enorm = nullptr, *hnorm = nullptr, *eh = nullptr, *mtp_norm = nullptr;
    const float *cos = nullptr, *sin = nullptr;  // [places, rope / 2]
    Team team;

    template <class W>
    void states(const Tokens& tokens, const int64_t* ids, float* const* out) {
        x.shape(tokens.N, s.D);
        auto job = [&](int me) {
            Range part_ = part(tokens.N, me, team.size);
            for (int n = part_.from; n < part_.to; n++) embedding<W>(ids[n], x[n]);
            team.barrier();
            for (int i = 0; i < s.layers; i++) layer<W>(tokens, layers[i], i, i < s.dense_layers, me);
            for (int n = part_.from; n < part_.to; n++) normalise(x[n], (const W*)norm, s.D, s.eps, out[n]);
        };
        team.run(job);
    }

    // The MTP module: the next tokens' embeddings and the hidden states before -> its states.
    template <class W>
    void draft(const Tokens& tokens, const int64_t* ids, const float* const* hidden, float* const* out) {
        x.shape(tokens.N, s.D);
        joined.shape(tokens.N, 2 * s.D);
        auto job = [&](int me) {
            Range part_ = part(tokens.N, me, team.size);
            std::vector<float> raw(s.D);
            for (int n = part_.from; n < part_.to; n++) {
                embedding<W>(ids[n], raw.data());
                normalise(raw.data(), (const W*)enorm, s.D, s.eps, joined[n]);
                normalise(hidden[n], (const W*)hnorm, s.D, s.eps, joined[n] + s.D);
            }
            team.barrier();
            Range d = part(s.D, me, team.size);
            multiply(joined.rows(), tokens.N, (const W*)eh, 2 * s.D, 2 * s.D, d.from, d.to,
                     INTO(x));
            team.barrier();
            layer<W>(tokens, layers[s.layers], s.layers, false, me);
            for (int n = part_.from; n < part_.to; n++) normalise(x[n], (const W*)mtp_norm, s.D, s.eps, out[n]);
        };
        team.run(job);
    }

    // Logits [N, vocab] after the given states, and the logarithm of the sum of their exponentials [N].
    template <class W>
    void logits(int N, const float* const* hidden, float* out, float* norms) {
        auto job = [&](int me) {
            Range v = part(s.vocab, me, team.size);
            multiply(hidden, N, (const W*)head, s.D, s.D, v.from, v.to,
                     [&](int m, int n, const auto& v) { std::memcpy(out + int64_t(m) * s.vocab + n, v, sizeof v); });
            team.barrier();
            Range rows = part(N, me, team.size);
            for (int n = rows.from; n < rows.to; n++) norms[n] = log_sum(out + int64_t(n) * s.vocab);
        };
        team.run(job);
    }

    void draw(int N, const float* logits, const Choice* choices, const Mark* marks, int64_t* tokens) {
        auto job = [&](int me) {
            Range rows = part(N, me, team.size);
            auto& scratch = mine[me].router;
            if (int(scratch.size()) < s.vocab) scratch.resize(s.vocab);
            for (int n = rows.from; n < rows.to; n++)
                tokens[n] = choose(logits + int64_t(n) * s.vocab, s.vocab, choices[n], marks ? marks + n : nullptr,
                                   scratch.data());
        };
        team.run(job);
    }

    void mark(int N, const Mark* marks, float* shares) {
        auto job = [&](int me) {
            Range rows = part(N, me, team.size);
            for (int n = rows.from; n < rows.to; n++)
                if (marks[n].scheme) reweigh(marks[n], shares + int64_t(n) * s.vocab, s.vocab);
        };
        team.run(job);
    }

  private:
    template <class W>
    void embedding(int64_t id, float* out) {
        const W* row = (const W*)embed + id * s.D;
        for (int d = 0; d < s.D; d++) out[d] = one(row + d);
    }

    float log_sum(const float* row) {
        const float top = largest(row, s.vocab);
        Vec sums = {};
        int i = 0;
        for (; i + VL <= s.vocab; i += VL) sums += exponential(load(row + i) - top);
        float total = sum(sums);
        for (; i < s.vocab; i++) total += exponential(row[i] - top);
        return top + std::log(total);
    }

    // What one thread keeps for itself: small things that all need are made by each, which is cheaper than to wait.
    struct Scratch {
        Rows h, q_norm, scores, raw, ups;
        std::vector<float> router, factors;
        std::vector<std::vector<int>> pairs;
        std::vector<const float*> from;
        std::vector<float*> to;
    };

    template <class W>
    void layer(const Tokens& tokens, const Layer& w, int number, bool dense, int me) {
        attention<W>(tokens, w, number, me);
        Scratch& own = mine[me];
        own.h.shape(tokens.N, s.D);
        for (int n = 0; n < tokens.N; n++) normalise(x[n], (const W*)w.post_norm, s.D, s.eps, own.h[n]);
        dense ? feed_forward<W>(tokens.N, w, me) : experts<W>(tokens.N, w, me);
    }

    template <class W>
    void attention(const Tokens& tokens, const Layer& w, int number, int me) {
        const int N = tokens.N, R = s.kv + s.rope, qk = s.nope + s.rope, half = s.rope / 2, P = team.size;
        Scratch& own = mine[me];
        if (me == 0) {
            q_a.shape(N, s.q_lora ? s.q_lora : 1);
            kv_a.shape(N, R);
            q.shape(N, s.H * qk);
            q_lat.shape(N * s.H, R);
            attended.shape(N, s.H * s.v);
        }
        own.h.shape(N, s.D);
        for (int n = 0; n < N; n++) normalise(x[n], (const W*)w.input_norm, s.D, s.eps, own.h[n]);
        team.barrier();  // the shapes stand
        Range c = part(s.q_lora, me, P), l = part(R, me, P);
        multiply(own.h.rows(), N, (const W*)w.q_a, s.D, s.D, c.from, c.to,
                 INTO(q_a));
        multiply(own.h.rows(), N, (const W*)w.kv_a, s.D, s.D, l.from, l.to,
                 INTO(kv_a));
        team.barrier();

        // The latents go into the cache, each thread those of its tokens.
        Range mine_ = part(N, me, P);
        for (int n = mine_.from; n < mine_.to; n++) {
            float* slot = latent(tokens, n, number) + tokens.place[n] * R;
            normalise(kv_a[n], (const W*)w.kv_norm, s.kv, 1e-6f, slot);
            rotate(kv_a[n] + s.kv, cos + tokens.place[n] * half, sin + tokens.place[n] * half, half, slot + s.kv);
        }
        // Queries, each thread those of its heads, absorbed into the space of the latents.
        const float* const* before = own.h.rows();
        int width = s.D;
        if (s.q_lora) {
            own.q_norm.shape(N, s.q_lora);
            for (int n = 0; n < N; n++) normalise(q_a[n], (const W*)w.q_norm, s.q_lora, 1e-6f, own.q_norm[n]);
            before = own.q_norm.rows();
            width = s.q_lora;
        }
        Range heads = part(s.H, me, P);
        multiply(before, N, (const W*)w.q_b, width, width, heads.from * qk, heads.to * qk,
                 INTO(q));
        own.from.resize(N > s.H ? N : s.H);
        own.to.resize(own.from.size());
        for (int head = heads.from; head < heads.to; head++) {
            for (int n = 0; n < N; n++) {
                own.from[n] = q[n] + head * qk;
                own.to[n] = q_lat[n * s.H + head];
                rotate(own.from[n] + s.nope, cos + tokens.place[n] * half, sin + tokens.place[n] * half, half,
                       own.to[n] + s.kv);
            }
            mix(own.from.data(), N, (const W*)w.kv_b + int64_t(head) * (s.nope + s.v) * s.kv, s.kv, s.nope, s.kv,
                own.to.data());
        }
        team.barrier();

        // Attention, each thread for its tokens, or where these are few for its heads.
        const bool by_token = N >= 2 * P;
        const Range hs = by_token ? Range{0, s.H} : heads;
        for (int n = 0; n < N; n++) {
            if (by_token && n % P != me) continue;
            const int T = int(tokens.place[n]) + 1, M = hs.to - hs.from;
            const float* kept = latent(tokens, n, number);
            own.scores.shape(M, (T + VL) / VL * VL);
            own.raw.shape(M, s.kv);
            multiply(q_lat.rows() + n * s.H + hs.from, M, kept, R, R, 0, T,
                     INTO(own.scores));
            for (int m = 0; m < M; m++) softmax(own.scores[m], T, s.scale);
            mix(own.scores.rows(), M, kept, R, T, s.kv, own.raw.at.data());
            for (int m = 0; m < M; m++) {
                const int head = hs.from + m;
                const W* up = (const W*)w.kv_b + (int64_t(head) * (s.nope + s.v) + s.nope) * s.kv;
                float* into = attended[n] + head * s.v;
                multiply(own.raw.rows() + m, 1, up, s.kv, s.kv, 0, s.v, [&](int, int i, const auto& v) { std::memcpy(into + i, v, sizeof v); });
            }
        }
        team.barrier();
        Range d = part(s.D, me, P);
        multiply(attended.rows(), N, (const W*)w.o, s.H * s.v, s.H * s.v, d.from, d.to,
                 ADD(x));
        team.barrier();
    }

    template <class W>
    void feed_forward(int N, const Layer& w, int me) {
        Scratch& own = mine[me];
        if (me == 0) inner.shape(N, s.dense);
        team.barrier();
        half_way(own.h.rows(), N, (const W*)w.gate, (const W*)w.up, s.dense, inner.at.data(), nullptr, me);
        team.barrier();
        Range d = part(s.D, me, team.size);
        multiply(inner.rows(), N, (const W*)w.down, s.dense, s.dense, d.from, d.to,
                 ADD(x));
        team.barrier();
    }

    // silu(gate x) * up x of the rows `at` of `into`, each thread its columns.
    template <class W>
    void half_way(const float* const* h, int N, const W* gate, const W* up, int width, float* const* into,
                  const float* weights, int me) {
        Scratch& own = mine[me];
        Range i = part(width, me, team.size);
        own.ups.shape(N, width);
        multiply(h, N, gate, s.D, s.D, i.from, i.to, INTO(into));
        multiply(h, N, up, s.D, s.D, i.from, i.to, INTO(own.ups));
        for (int n = 0; n < N; n++) {
            float *g = into[n], *u = own.ups[n], factor = weights ? weights[n] : 1.0f;
            int c = i.from;
            for (; c + VL <= i.to; c += VL) {
                Vec v = load(g + c);
                store(g + c, v / (1.0f + exponential(-v)) * load(u + c) * factor);
            }
            for (; c < i.to; c++) g[c] = g[c] / (1.0f + exponential(-g[c])) * u[c] * factor;
        }
    }

    template <class W>
    void experts(int N, const Layer& w, int me) {
        Scratch& own = mine[me];
        const int K = s.chosen;
        if (me == 0) {
            inner.shape(N * K, s.moe);
            outer.shape(N * K, s.D);
            shared_inner.shape(N, s.shared ? s.shared : 1);
            shared_outer.shape(N, s.D);
            choice.resize(size_t(N) * K);
            weight.resize(size_t(N) * K);
        }
        team.barrier();
        Range mine_ = part(N, me, team.size);
        if (int(own.router.size()) < 3 * s.experts) own.router.resize(3 * s.experts);
        for (int n = mine_.from; n < mine_.to; n++) route<W>(own.h[n], w, own.router.data(), &choice[n * K], &weight[n * K]);
        team.barrier();
        own.pairs.resize(s.experts);
        for (auto& pairs : own.pairs) pairs.clear();
        for (int pair = 0; pair < N * K; pair++) own.pairs[choice[pair]].push_back(pair);
        Range d = part(s.D, me, team.size);
        for (int e = 0; e < s.experts; e++) {
            const auto& pairs = own.pairs[e];
            if (pairs.empty()) continue;
            own.from.clear(), own.to.clear(), own.factors.clear();
            for (int pair : pairs) {
                own.from.push_back(own.h[pair / K]);
                own.to.push_back(inner[pair]);
                own.factors.push_back(weight[pair]);
            }
            const W* gate = (const W*)w.gate_up + int64_t(e) * 2 * s.moe * s.D;
            half_way(own.from.data(), int(pairs.size()), gate, gate + int64_t(s.moe) * s.D, s.moe, own.to.data(),
                     own.factors.data(), me);
        }
        if (s.shared) half_way(own.h.rows(), N, (const W*)w.gate, (const W*)w.up, s.shared, shared_inner.at.data(), nullptr, me);
        team.barrier();
        for (int e = 0; e < s.experts; e++) {
            const auto& pairs = own.pairs[e];
            if (pairs.empty()) continue;
            own.from.clear(), own.to.clear();
            for (int pair : pairs) own.from.push_back(inner[pair]), own.to.push_back(outer[pair]);
            multiply(own.from.data(), int(pairs.size()), (const W*)w.expert_down + int64_t(e) * s.D * s.moe, s.moe, s.moe,
                     d.from, d.to, INTO(own.to));
        }
        if (s.shared)
            multiply(shared_inner.rows(), N, (const W*)w.down, s.shared, s.shared, d.from, d.to, INTO(shared_outer));
        for (int n = 0; n < N; n++) {
            int c = d.from;
            for (; c + VL <= d.to; c += VL) {
                Vec total = load(outer[n * K] + c);
                for (int k = 1; k < K; k++) total += load(outer[n * K + k] + c);
                if (s.shared) total += load(shared_outer[n] + c);
                store(x[n] + c, load(x[n] + c) + total);
            }
            for (; c < d.to; c++) {
                float total = outer[n * K][c];
                for (int k = 1; k < K; k++) total += outer[n * K + k][c];
                if (s.shared) total += shared_outer[n][c];
                x[n][c] += total;
            }
        }
        team.barrier();
    }

    // The gate of one token (`moe.Router`); of equals the first is taken.
    template <class W>
    void route(const float* h, const Layer& w, float* scores, int* chosen, float* weights) {
        const int E = s.experts, size = E / s.groups;
        float *choice_ = scores + E, *group = scores + 2 * E;
        multiply(&h, 1, (const W*)w.router, s.D, s.D, 0, E,
                 [&](int, int e, const auto& v) { std::memcpy(scores + e, v, sizeof v); });
        for (int e = 0; e < E; e++) {
            scores[e] = 1.0f / (1.0f + exponential(-scores[e]));
            choice_[e] = scores[e] + ((const float*)w.bias)[e];
        }
        if (s.groups > 1) {
            for (int g = 0; g < s.groups; g++) {
                float first = -INFINITY, second = -INFINITY;
                for (int e = g * size; e < (g + 1) * size; e++)
                    if (choice_[e] > first) second = first, first = choice_[e];
                    else if (choice_[e] > second) second = choice_[e];
                group[g] = first + second;
            }
            for (int g = 0; g < s.groups; g++) {
                int better = 0;
                for (int o = 0; o < s.groups; o++) better += group[o] > group[g] || (group[o] == group[g] && o < g);
                if (better >= s.top_groups)
                    for (int e = g * size; e < (g + 1) * size; e++) choice_[e] = -INFINITY;
            }
        }
        float total = 0;
        for (int k = 0; k < s.chosen; k++) {
            int best = 0;
            for (int e = 1; e < E; e++)
                if (choice_[e] > choice_[best]) best = e;
            chosen[k] = best;
            total += weights[k] = scores[best];
            choice_[best] = -INFINITY;
        }
        for (int k = 0; k < s.chosen; k++) {
            if (s.norm_topk) weights[k] /= total + 1e-20f;
            weights[k] *= s.scaling;
        }
    }

    float* latent(const Tokens& tokens, int n, int number) { return tokens.row[n] + number * tokens.layer_stride; }

    Rows x, joined, q_a, kv_a, q, q_lat, attended, inner, outer, shared_inner, shared_outer;
    std::vector<int> choice;
    std::vector<float> weight;
    std::vector<Scratch> mine;
};

// The interface. Tokens [B, S] stand behind the first `lengths` [B] of each sequence, `counts` [B] of them are real.
// `latents` is [layers, B, T, R] with the given strides, `out` and `hidden` [B, S, D].

static Tokens tokens_of(int64_t B, int64_t S, const int64_t* lengths, const int64_t* counts, float* latents,
                        int64_t layer_stride, int64_t row_stride, std::vector<int64_t>& which) {
    Tokens t;
    t.layer_stride = layer_stride;
    for (int64_t b = 0; b < B; b++)
        for (int64_t i = 0; i < counts[b]; i++) {
            which.push_back(b * S + i);
            t.place.push_back(lengths[b] + i);
            t.row.push_back(latents + b * row_stride);
        }
    t.N = int(which.size());
    return t;
}

extern "C" {

void* candor_new(const Shape* shape, int threads) { return new Model(*shape, threads); }
void candor_free(void* model) { delete static_cast<Model*>(model); }

void candor_weights(void* model, const void* const* top, const void* const* layers, int count, const float* cos,
                    const float* sin) {
    Model& m = *static_cast<Model*>(model);
    const void** into[] = {&m.embed, &m.norm, &m.head, &m.enorm, &m.hnorm, &m.eh, &m.mtp_norm};
    for (int i = 0; i < 7; i++) *into[i] = top[i];
    m.layers.resize(count);
    std::memcpy(m.layers.data(), layers, count * sizeof(Layer));
    m.cos = cos;
    m.sin = sin;
}

void candor_states(void* model, int64_t B, int64_t S, const int64_t* ids, const int64_t* lengths, const int64_t* counts,
                   float* latents, int64_t layer_stride, int64_t row_stride, const float* hidden, float* out) {
    Model& m = *static_cast<Model*>(model);
    std::vector<int64_t> which, own;
    Tokens tokens = tokens_of(B, S, lengths, counts, latents, layer_stride, row_stride, which);
    std::vector<const float*> from;
    std::vector<float*> to;
    for (int64_t place : which) {
        own.push_back(ids[place]);
        to.push_back(out + place * m.s.D);
        if (hidden) from.push_back(hidden + place * m.s.D);
    }
    if (hidden) {
        m.s.bf16 ? m.draft<Bf16>(tokens, own.data(), from.data(), to.data())
                 : m.draft<float>(tokens, own.data(), from.data(), to.data());
    } else {
        m.s.bf16 ? m.states<Bf16>(tokens, own.data(), to.data()) : m.states<float>(tokens, own.data(), to.data());
    }
}

void candor_logits(void* model, int64_t N, const float* hidden, float* out, float* norms) {
    Model& m = *static_cast<Model*>(model);
    std::vector<const float*> from;
    for (int64_t n = 0; n < N; n++) from.push_back(hidden + n * m.s.D);
    m.s.bf16 ? m.logits<Bf16>(int(N), from.data(), out, norms) : m.logits<float>(int(N), from.data(), out, norms);
}

void candor_draw(void* model, int64_t N, const float* logits, const Choice* choices, const Mark* marks,
                 int64_t* tokens) {
    static_cast<Model*>(model)->draw(int(N), logits, choices, marks, tokens);
}

void candor_mark(void* model, int64_t N, const Mark* marks, float* shares) {
    static_cast<Model*>(model)->mark(int(N), marks, shares);
}
}
