/* == from_bytes */
/* Bytes stand for themselves divided by 255. */
static void from_bytes(uint32_t n, const uint8_t *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = (float)x[i] / 255.0f;
    }
}
/* == move_floats */
static void move_floats(uint32_t n, const float *x, float *y) {
    memcpy(y, x, n * sizeof *y);
}
/* == unary */
static void unary(float (*f)(float), uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = f(x[i]);
    }
}
/* == offset_of */
/* Where element number `flat` of a box is, each dimension with its own step. */
static uint32_t offset_of(uint32_t flat, uint32_t rank, const uint32_t *dims, const uint32_t *step) {
    uint32_t at = 0;
    while (rank > 0) {
        rank--;
        at += flat % dims[rank] * step[rank];
        flat /= dims[rank];
    }
    return at;
}
/* == select_values */
/* a where c is not 0, else b. */
static void select_values(uint32_t n, uint32_t rank, const uint32_t *dims, const uint32_t *c_step, const uint32_t *a_step,
                          const uint32_t *b_step, const float *c, const float *a, const float *b, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = c[offset_of(i, rank, dims, c_step)] == 0.0f ? b[offset_of(i, rank, dims, b_step)]
                                                           : a[offset_of(i, rank, dims, a_step)];
    }
}
/* == reduce */
/* Sum, mean, maximum, minimum, product, index of the maximum, index of the minimum: of the n_each elements that belong to
 * each of the n results. */
static void reduce(uint32_t function, uint32_t n, uint32_t rank, const uint32_t *dims, const uint32_t *step, uint32_t n_each,
                   uint32_t own_rank, const uint32_t *own_dims, const uint32_t *own_step, const float *x, float *y) {
    uint32_t i, j;
    for (i = 0; i < n; i++) {
        const float *from = x + offset_of(i, rank, dims, step);
        double sum = function == 4 ? 1.0 : 0.0;
        float best = 0.0f;
        uint32_t at = 0;
        for (j = 0; j < n_each; j++) {
            float v = from[offset_of(j, own_rank, own_dims, own_step)];
            if (function == 4) {
                sum *= (double)v;
            } else if (function < 2) {
                sum += (double)v;
            } else if (j == 0 || (v != v && best == best) || (function % 3 == 2 ? v > best : v < best)) {
                best = v;
                at = j;
            }
        }
        switch (function) {
        case 0:
        case 4:
            y[i] = (float)sum;
            break;
        case 1:
            y[i] = (float)(sum / (double)n_each);
            break;
        case 2:
        case 3:
            y[i] = best;
            break;
        default:
            y[i] = (float)at;
            break;
        }
    }
}
/* == mat_mul */
/* y[m][n] = sum of a[m][k] b[k][n], for each pair of matrices. */
static void mat_mul(uint32_t matrices, uint32_t rank, const uint32_t *dims, const uint32_t *a_step, const uint32_t *b_step, uint32_t m,
                    uint32_t k, uint32_t n, const float *a, const float *b, float *y) {
    uint32_t at, i, j, l;
    for (at = 0; at < matrices; at++) {
        const float *row = a + offset_of(at, rank, dims, a_step), *from = b + offset_of(at, rank, dims, b_step);
        for (i = 0; i < m; i++, row += k) {
            for (j = 0; j < n; j++) {
                float sum = 0.0f;
                for (l = 0; l < k; l++) {
                    sum += row[l] * from[l * n + j];
                }
                *y++ = sum;
            }
        }
    }
}
/* == row_of */
/* The row that an index names, of n: truncated; a negative one counts from the end; one out of range is clamped. */
static uint32_t row_of(float index, uint32_t n) {
    double whole = (double)truncate_of(index);
    if (whole < 0.0) {
        whole += (double)n;
    }
    if (!(whole > 0.0)) {
        return 0;
    }
    return whole < (double)n ? (uint32_t)whole : n - 1u;
}
/* == embedding */
/* A row of the weights for each index. Where all weights are kept a row is found at once, else by counting from the first. */
static void embedding(const weights *of, uint32_t rows, uint32_t features, uint32_t n, const float *x, float *y) {
    uint32_t i, j;
    for (i = 0; i < n; i++) {
        uint32_t first = row_of(x[i], rows) * features;
        walk w = walk_along(of);
        if (of->places == 0) {
            uint64_t bit = (uint64_t)first * of->code_bits;
            w.at = w.kept = first;
            if (of->codes != 0) {
                w.codes.bytes += bit / 8u;
                take(&w.codes, (uint8_t)(bit % 8u));
            }
        }
        while (w.at < first) {
            next_weight(&w);
        }
        for (j = 0; j < features; j++) {
            *y++ = w.at == first + j && w.at < of->n ? next_weight(&w) : 0.0f;
        }
    }
}
/* == take_at */
/* Along one dimension of `from`, the elements at indices that are values. */
static void take_at(uint32_t outer, uint32_t from, uint32_t inner, uint32_t n, const float *x, const float *indices, float *y) {
    uint32_t o, i;
    for (o = 0; o < outer; o++, x += (size_t)from * inner) {
        for (i = 0; i < n; i++, y += inner) {
            memcpy(y, x + (size_t)row_of(indices[i], from) * inner, inner * sizeof *y);
        }
    }
}
/* == scatter */
/* Rows of `values` set, added to, multiplied with, or the greater or lesser of, the rows that the indices name. */
static void scatter(uint32_t update, uint32_t n, uint32_t m, uint32_t k, const float *x, const float *indices, const float *values,
                    float *y) {
    uint32_t i, j;
    memcpy(y, x, (size_t)n * m * sizeof *y);
    for (i = 0; i < k; i++) {
        float *row = y + (size_t)row_of(indices[i], n) * m;
        for (j = 0; j < m; j++) {
            float v = *values++, old = row[j];
            switch (update) {
            case 0:
                row[j] = v;
                break;
            case 1:
                row[j] = old + v;
                break;
            case 2:
                row[j] = old * v;
                break;
            case 3:
                row[j] = v > old || old != old ? v : old;
                break;
            default:
                row[j] = v < old || old != old ? v : old;
                break;
            }
        }
    }
}
/* == top_k */
/* An integer in the order of the floats. */
static int32_t rank_of(float x) {
    uint32_t bits_of_x;
    memcpy(&bits_of_x, &x, sizeof x);
    if (bits_of_x >> 31 != 0) {
        return -(int32_t)(bits_of_x & 0x7fffffffu) - 1;
    }
    return (int32_t)bits_of_x;
}

/* The k greatest or least along one dimension, or their indices, each the next after the one before. */
static void top_k(uint32_t outer, uint32_t n, uint32_t inner, uint32_t k, uint32_t largest, uint32_t indices, const float *x, float *y) {
    uint32_t o, i, j, p;
    for (o = 0; o < outer; o++, x += (size_t)n * inner, y += (size_t)k * inner) {
        for (i = 0; i < inner; i++) {
            int32_t last = 0;
            uint32_t last_at = 0;
            for (p = 0; p < k; p++) {
                int32_t best = 0;
                uint32_t at = n;
                for (j = 0; j < n; j++) {
                    int32_t key = rank_of(x[j * inner + i]);
                    key = largest != 0 ? -1 - key : key;
                    if ((p == 0 || key > last || (key == last && j > last_at)) && (at == n || key < best)) {
                        best = key;
                        at = j;
                    }
                }
                last = best;
                last_at = at;
                y[p * inner + i] = indices != 0 ? (float)at : x[at * inner + i];
            }
        }
    }
}
/* == recurrent */
static float logistic_of(float x) {
    return 1.0f / (1.0f + exponential(-x));
}

/* All states of a recurrent layer: LSTM, GRU, GRU that resets first, tanh, ReLU. Its scratch memory holds a number for each
 * row of the weights; for a GRU that resets first, that twice and a state. */
static void recurrent(uint32_t cell, uint32_t reverse, uint32_t time, uint32_t batch, uint32_t hidden, const weights *of,
                      const float *bias, const float *x, const float *h0, const float *c0, float *scratch, float *y) {
    uint32_t width = (cell == 0 ? 4u : cell < 3 ? 3u : 1u) * hidden, n_states = cell == 0 ? 2u * hidden : hidden, b, step, i;
    for (b = 0; b < batch; b++) {
        const float *h = h0 + (size_t)b * hidden, *c = c0 + (size_t)b * hidden;
        for (step = 0; step < time; step++) {
            uint32_t at = (reverse != 0 ? time - 1u - step : step) * batch + b;
            const float *g = x + (size_t)at * width, *r = scratch;
            float *to = y + (size_t)at * n_states, *late = scratch + width, *first = late + width;
            linear(of, bias, hidden, width, h, scratch);
            if (cell == 2) {
                for (i = 0; i < hidden; i++) {
                    first[i] = h[i] * logistic_of(g[hidden + i] + r[hidden + i]);
                }
                linear(of, bias, hidden, width, first, late);
            }
            for (i = 0; i < hidden; i++) {
                uint32_t j = hidden + i, k = 2u * hidden + i, l = 3u * hidden + i;
                float z, n;
                switch (cell) {
                case 0:
                    n = logistic_of(g[k] + r[k]) * c[i] + logistic_of(g[i] + r[i]) * hyperbolic_tangent_of(g[l] + r[l]);
                    to[j] = n;
                    to[i] = logistic_of(g[j] + r[j]) * hyperbolic_tangent_of(n);
                    break;
                case 1:
                case 2:
                    z = logistic_of(g[i] + r[i]);
                    n = cell == 1 ? logistic_of(g[j] + r[j]) * r[k] : late[k];
                    to[i] = (1.0f - z) * hyperbolic_tangent_of(g[k] + n) + z * h[i];
                    break;
                case 3:
                    to[i] = hyperbolic_tangent_of(g[i] + r[i]);
                    break;
                default:
                    to[i] = g[i] + r[i] > 0.0f ? g[i] + r[i] : 0.0f;
                    break;
                }
            }
            h = to;
            c = to + hidden;
        }
    }
}
