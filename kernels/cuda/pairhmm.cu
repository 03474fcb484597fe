// How likely each read is given each haplotype. Twin of cpu/pairhmm.py, whose first page derives the recurrences, bit for bit.
//
// A group of G lanes of a warp takes one (read, haplotype) pair, N rows a lane: S, d and the coefficients of a row stay in registers.
// The group sweeps the haplotype as a wavefront, lane t one column behind lane t - 1; S and v of a lane's last row move by shuffle.
// E comes from a table in shared memory, laid out so that the 16-byte loads of a warp are contiguous.
//
// A read is right-aligned in its lanes: the -R mod N rows before it, all in lane 0, hand the start S down (E = 1, k = l = 0, and e = -1
// on the read's first row turns what they put into v back to 0, exactly). Lanes after the read have E = k = l = 0, e = 1 and no floor,
// so that v carries the last row's sum to the last lane, which adds it up column by column.

typedef unsigned char u8;

// Every operation that reaches a result is one of these: no option and no version of the compiler can change a bit.
__device__ __forceinline__ float mul(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double mul(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ float add(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double add(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return __fma_rn(a, b, c); }
__device__ __forceinline__ float smallest_normal(float) { return 0x1p-126f; }
__device__ __forceinline__ double smallest_normal(double) { return 0x1p-1022; }

// Whether gaps go on as likely after every base, or as each base says.
#ifdef GAPS_BY_BASE
#define EXTEND(T) const T*
#else
#define EXTEND(T) T
#endif

template <typename T> struct Vector4;
template <> struct Vector4<float> { typedef float4 type; };
template <> struct Vector4<double> { typedef double4 type; };

// One thread a read: `row_coefficients` of the CPU, in its order of operations. continuation_quals: those of all bases with a step of 1,
// one for all with a step of 0. coefficients: T[n_bases, 4], e (of this base), k, l, r;
// last_e: the e behind the last base; the haplotype's length, product and exponent are applied on the host.
template <typename T>
__device__ __forceinline__ void prepare_read(int read, const int* read_offsets, const u8* read_bases, const u8* base_quals,
                                             const u8* insertion_quals, const u8* deletion_quals, const double* error,
                                             const u8* continuation_quals, int continuation_step, T* coefficients, T* start,
                                             T* last_e, double* product, long long* exponent, long long* lowered) {
    const int first = read_offsets[read], end = read_offsets[read + 1];
    double whole = 1.0, growth = 1.0, a_before = 1.0, mi_before = 0.0;
    int scale = 0, start_exponent = 0, growth_exponent;
    double mm = __dsub_rn(1.0, __dadd_rn(error[insertion_quals[first]], error[deletion_quals[first]]));
    double c = error[continuation_quals[(size_t)first * continuation_step]];
    const double first_start = __ddiv_rn(__dsub_rn(1.0, c), mm);
    for (int i = first; i < end; i++) {
        const double q = error[base_quals[i]], mi = error[insertion_quals[i]], md = error[deletion_quals[i]];
        const double a = __dmul_rn(mm, __dsub_rn(1.0, q));
        growth = __dmul_rn(growth, mm);
        if (growth < 0x1p-500) { growth = __dmul_rn(growth, 0x1p500); start_exponent -= 500; }
        double k = 0.0, l = 0.0, c_next = 0.0;
        if (i + 1 < end) {
            c_next = error[continuation_quals[(size_t)(i + 1) * continuation_step]];
            const double g = __dsub_rn(1.0, c_next);
            const double mm_next = __dsub_rn(1.0, __dadd_rn(error[insertion_quals[i + 1]], error[deletion_quals[i + 1]]));
            k = __ddiv_rn(__dmul_rn(g, md), mm_next);
            l = __ddiv_rn(__dmul_rn(g, mi), __dmul_rn(mm_next, a));
            mm = mm_next;
        }
        T* row = coefficients + 4 * (size_t)i;
        row[0] = (T)(i > first ? __ddiv_rn(__dmul_rn(c, mi_before), __dmul_rn(a_before, mi)) : 0.0);
        row[1] = (T)k;
        row[2] = (T)l;
        row[3] = read_bases[i] == 4 ? (T)1 : (T)__ddiv_rn(__ddiv_rn(q, 3.0), __dsub_rn(1.0, q));
        whole = __dmul_rn(whole, a);
        if (whole < 0x1p-500) { whole = __dmul_rn(whole, 0x1p500); scale += 500; }
        a_before = a;
        mi_before = mi;
        c = c_next;
    }
    last_e[read] = (T)__ddiv_rn(mi_before, a_before);
    frexp(growth, &growth_exponent);
    start_exponent += growth_exponent;
    start[read] = (T)ldexp(first_start, start_exponent);
    product[read] = whole;
    exponent[read] = scale + start_exponent;
    lowered[read] = -start_exponent;
}

// One warp a block. pairs: read and haplotype of each; haplotype_starts points into haplotype_bases, which has 32 bases before the
// first haplotype, and behind the last as many as the longest has, and 64; all of them codes of bases. extend: by base with
// GAPS_BY_BASE. table: T[5 * 32 * N], shared.
template <typename T, int G, int N>
__device__ __forceinline__ void forward_pair(const int2* pairs, int n_pairs, const int* read_offsets, const u8* read_bases,
                                             const T* coefficients, const T* start, const T* last_e, const int* haplotype_starts,
                                             const int* haplotype_lengths, const u8* haplotype_bases, T start_factor,
                                             EXTEND(T) extend, T* sums, T* table) {
    typedef typename Vector4<T>::type V4;
    const int lane = threadIdx.x & 31, t = lane % G;
    const int p = (blockIdx.x * 32 + lane) / G;
    const bool is_used = p < n_pairs;
    const int2 pair = pairs[is_used ? p : n_pairs - 1];
    const int first = read_offsets[pair.x], n_rows = read_offsets[pair.x + 1] - first, n_columns = haplotype_lengths[pair.y];
    const int lead = (N - n_rows % N) % N, n_lanes = (n_rows + N - 1) / N;
    const T top = mul(start_factor, start[pair.x]);
    T S[N], d[N], e[N], k[N], l[N];
#ifdef GAPS_BY_BASE
    T c_of[N];
#define CONTINUES(i) c_of[i]
#else
#define CONTINUES(i) extend
#endif
#pragma unroll
    for (int i = 0; i < N; i++) {
        const int row = t * N + i - lead;
#ifdef GAPS_BY_BASE
        c_of[i] = row >= 0 && row < n_rows ? extend[first + row] : (T)0;
#endif
        T r = row < 0 ? (T)1 : (T)0;
        int letter = row < 0 ? 4 : 5;  // 4 matches everything, 5 nothing
        S[i] = row < 0 ? top : (T)0;
        d[i] = 0;
        e[i] = row < 0 ? (T)0 : (T)1;
        k[i] = 0;
        l[i] = 0;
        if (row >= 0 && row < n_rows) {
            const V4 c = reinterpret_cast<const V4*>(coefficients)[first + row];
            e[i] = row == 0 ? (T)-1 : c.x;
            k[i] = c.y;
            l[i] = c.z;
            r = c.w;
            letter = read_bases[first + row];
        }
#pragma unroll
        for (int x = 0; x < 5; x++)  // [haplotype's letter][i / 4][lane][i % 4]
            table[x * 32 * N + (i / 4) * 128 + lane * 4 + i % 4] =
                letter == 5 ? (T)0 : (x == letter || x == 4 || letter == 4) ? (T)1 : r;
    }
    const int next = (t + 1) * N - lead;  // first row of the next lane
    const T e_next = next < n_rows ? coefficients[4 * (size_t)(first + next)] : next == n_rows ? last_e[pair.x] : (T)1;
    const T corner = t == 0 && lead ? top : (T)0;
    const int floor_from = t < n_lanes ? t : 0x7fffffff;  // step of the lane's first column
    __syncwarp();

    const int n_steps = n_columns + G - 1;
    int n_warp_steps = n_steps;
#pragma unroll
    for (int o = 16; o >= G; o >>= 1) n_warp_steps = max(n_warp_steps, __shfl_xor_sync(0xffffffffu, n_warp_steps, o));
    const u8* letters = haplotype_bases + haplotype_starts[pair.y] - t;
    const T* lane_table = table + lane * 4;
    T S_in = t == 0 ? top : (T)0, S_next = S_in, v_in = corner, total = 0;
#pragma unroll 4
    for (int s = 0; s < n_warp_steps; s++) {
        const T* E = lane_table + (int)letters[s] * (32 * N);
        const T floor = s >= floor_from ? smallest_normal((T)0) : (T)0;
        T above = S_in, v = v_in, m = 0;
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            const V4 q = *reinterpret_cast<const V4*>(E + (i / 4) * 128);
#pragma unroll
            for (int u = 0; u < 4; u++) {
                const T emission = u == 0 ? q.x : u == 1 ? q.y : u == 2 ? q.z : q.w;
                if (i + u) v = fused(e[i + u], v, m);  // the first row's v comes ready-made
                m = fused(emission, above, floor);
                above = S[i + u];
                S[i + u] = fused(l[i + u], v, fused(k[i + u], d[i + u], m));
                d[i + u] = fused(CONTINUES(i + u), d[i + u], m);
            }
        }
        v = fused(e_next, v, m);
        if (s < n_steps) total = add(total, v);  // of use in the last lane
        S_in = S_next;
        S_next = __shfl_up_sync(0xffffffffu, S[N - 1], 1, G);
        v_in = __shfl_up_sync(0xffffffffu, v, 1, G);
        if (t == 0) { S_next = top; v_in = corner; }
    }
    if (is_used && t == G - 1) sums[p] = total;
}

#define PREPARE_PARAMETERS(T)                                                                                                      \
    int n_reads, const int *read_offsets, const u8 *read_bases, const u8 *base_quals, const u8 *insertion_quals,                   \
        const u8 *deletion_quals, const double *error, const u8 *continuation_quals, int continuation_step, T *coefficients,       \
        T *start, T *last_e, double *product, long long *exponent, long long *lowered
#define FORWARD_PARAMETERS(T)                                                                                                   \
    const int2 *pairs, int n_pairs, const int *read_offsets, const u8 *read_bases, const T *coefficients, const T *start,        \
        const T *last_e, const int *haplotype_starts, const int *haplotype_lengths, const u8 *haplotype_bases, T start_factor,   \
        EXTEND(T) extend, T *sums
#define FORWARD_ARGUMENTS                                                                                                           \
    pairs, n_pairs, read_offsets, read_bases, coefficients, start, last_e, haplotype_starts, haplotype_lengths, haplotype_bases, \
        start_factor, extend, sums

#define PREPARE(NAME, T)                                                                                                       \
    extern "C" __global__ void prepare_##NAME(PREPARE_PARAMETERS(T)) {                                                         \
        const int read = blockIdx.x * blockDim.x + threadIdx.x;                                                                \
        if (read < n_reads)                                                                                                    \
            prepare_read<T>(read, read_offsets, read_bases, base_quals, insertion_quals, deletion_quals, error,                \
                            continuation_quals, continuation_step, coefficients, start, last_e, product, exponent, lowered);   \
    }
#define FORWARD(NAME, T, G, N)                                                                     \
    extern "C" __global__ void __launch_bounds__(32) forward_##NAME##_##G##_##N(FORWARD_PARAMETERS(T)) { \
        __shared__ __align__(32) T table[5 * 32 * N];                                              \
        forward_pair<T, G, N>(FORWARD_ARGUMENTS, table);                                           \
    }

// A tile takes reads of up to G * N bases. Rows a lane: few enough for 255 registers; 28 (and 32 in double at 32 lanes) spill a few bytes,
// outside of the loop over columns.
#define FLOAT_TILES(X)                                                                                                     \
    X(f32, float, 4, 8) X(f32, float, 4, 16) X(f32, float, 4, 20) X(f32, float, 4, 28) X(f32, float, 8, 16)                \
    X(f32, float, 8, 20) X(f32, float, 8, 24) X(f32, float, 8, 28) X(f32, float, 8, 32) X(f32, float, 16, 20) X(f32, float, 32, 16)
#define DOUBLE_TILES(X) \
    X(f64, double, 16, 4) X(f64, double, 16, 8) X(f64, double, 16, 12) X(f64, double, 32, 8) X(f64, double, 32, 16)

PREPARE(f32, float)
PREPARE(f64, double)
FLOAT_TILES(FORWARD)
DOUBLE_TILES(FORWARD)
