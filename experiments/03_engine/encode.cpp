// Features, Jacobian and table gradient of points on a hash grid, by hand, for the comparison in compare_encode.py.
// One level at a time; a block of points in the nearest cache, as the numba kernel has it. Build: g++ -O3 -march=native -fopenmp -shared -fPIC
#include <algorithm>
#include <cstdint>

constexpr int BLOCK = 128, WIDTH = 2;
struct Level { float scale; uint32_t side, dense, mask, offset; };
struct Block { uint32_t row[8][BLOCK]; float f[3][BLOCK]; };

static void locate(const float* p, long n, long start, int count, const Level& l, Block& b) {
    const uint32_t plane = l.side * l.side;
    for (int i = 0; i < count; ++i) {
        float x[3]; uint32_t c[3];
        for (int k = 0; k < 3; ++k) {
            x[k] = p[k * n + start + i] * l.scale + 0.5f;
            c[k] = (uint32_t)(int32_t)x[k];
            b.f[k][i] = x[k] - (float)c[k];
        }
        if (l.dense) {
            const uint32_t r = l.offset + c[0] + c[1] * l.side + c[2] * plane;
            for (int k = 0; k < 8; ++k) b.row[k][i] = r + (k >> 2) + ((k >> 1) & 1) * l.side + (k & 1) * plane;
        } else {
            const uint32_t hy = c[1] * 2654435761u, jy = (c[1] + 1) * 2654435761u, hz = c[2] * 805459861u, jz = (c[2] + 1) * 805459861u;
            for (int k = 0; k < 8; ++k) b.row[k][i] = (((c[0] + (k >> 2)) ^ ((k & 2) ? jy : hy) ^ ((k & 1) ? jz : hz)) & l.mask) + l.offset;
        }
    }
}

extern "C" void encode_forward(const float* p, const float* table, const Level* levels, int count_levels, long n, float* out) {
    const long encoded = (long)count_levels * WIDTH, groups = (n + 16 * BLOCK - 1) / (16 * BLOCK);
#pragma omp parallel for collapse(2) schedule(static)
    for (int level = 0; level < count_levels; ++level)
        for (long group = 0; group < groups; ++group) {
            Block b;
            const Level& l = levels[level];
            for (long start = group * 16 * BLOCK; start < std::min(n, (group + 1) * 16 * BLOCK); start += BLOCK) {
                const int count = (int)std::min<long>(BLOCK, n - start);
                locate(p, n, start, count, l, b);
                for (int feature = 0; feature < WIDTH; ++feature) {
                    float* v = out + (level * WIDTH + feature) * n + start;
                    float *jx = v + encoded * n, *jy = jx + encoded * n, *jz = jy + encoded * n;
                    const float* t = table + feature;
#pragma omp simd
                    for (int i = 0; i < count; ++i) {
                        float a[8];
                        for (int k = 0; k < 8; ++k) a[k] = t[(long)b.row[k][i] * WIDTH];
                        const float X = b.f[0][i], Y = b.f[1][i], Z = b.f[2][i], s = l.scale;
                        float d[4], q[4];
                        for (int k = 0; k < 4; ++k) { d[k] = a[4 + k] - a[k]; q[k] = a[k] + X * d[k]; }
                        const float e0 = q[2] - q[0], e1 = q[3] - q[1], c0 = q[0] + Y * e0, c1 = q[1] + Y * e1;
                        const float g0 = d[0] + Y * (d[2] - d[0]), g1 = d[1] + Y * (d[3] - d[1]);
                        v[i] = c0 + Z * (c1 - c0);
                        jx[i] = s * (g0 + Z * (g1 - g0)); jy[i] = s * (e0 + Z * (e1 - e0)); jz[i] = s * (c1 - c0);
                    }
                }
            }
        }
}

extern "C" void encode_backward(const float* p, const Level* levels, int count_levels, long n, const float* in, float* gradient) {
    const long encoded = (long)count_levels * WIDTH;
#pragma omp parallel for schedule(dynamic, 1)
    for (int level = 0; level < count_levels; ++level) {
        Block b;
        float corner[8][BLOCK];
        const Level& l = levels[level];
        for (long start = 0; start < n; start += BLOCK) {
            const int count = (int)std::min<long>(BLOCK, n - start);
            locate(p, n, start, count, l, b);
            for (int feature = 0; feature < WIDTH; ++feature) {
                const float* q = in + (level * WIDTH + feature) * n + start;
                const float *gx = q + encoded * n, *gy = gx + encoded * n, *gz = gy + encoded * n;
#pragma omp simd
                for (int i = 0; i < count; ++i) {
                    const float X = b.f[0][i], Y = b.f[1][i], Z = b.f[2][i], x = l.scale * gx[i], y = l.scale * gy[i], z = l.scale * gz[i];
                    const float c1 = q[i] * Z + z, c0 = q[i] - c1, e1 = y * Z, e0 = y - e1, b2 = c0 * Y + e0, b3 = c1 * Y + e1;
                    const float b0 = c0 - b2, b1 = c1 - b3, h1 = x * Z, h0 = x - h1, d2 = h0 * Y, d3 = h1 * Y;
                    const float t0 = b0 * X + h0 - d2, t1 = b1 * X + h1 - d3, t2 = b2 * X + d2, t3 = b3 * X + d3;
                    corner[0][i] = b0 - t0; corner[1][i] = b1 - t1; corner[2][i] = b2 - t2; corner[3][i] = b3 - t3;
                    corner[4][i] = t0; corner[5][i] = t1; corner[6][i] = t2; corner[7][i] = t3;
                }
                for (int k = 0; k < 8; ++k)
                    for (int i = 0; i < count; ++i) gradient[(long)b.row[k][i] * WIDTH + feature] += corner[k][i];
            }
        }
    }
}
