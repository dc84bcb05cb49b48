/* == weights */
/* The kept weights of a layer, in row-major order. Their positions are a flag for each weight (gap_bits 0), the distance from
 * one to the next in gap_bits bits, or nothing where all are kept. A distance of all ones skips that many weights and keeps
 * none. Their values are codes into the levels, or a float each. */
typedef struct {
    const uint8_t *places;  /* flags or distances; null where all are kept */
    const uint8_t *codes;   /* null where each has a value of its own */
    const float *levels;    /* by code, or one per kept weight */
    uint32_t n;             /* weights, pruned ones included */
    uint32_t n_entries;     /* distances */
    uint8_t gap_bits;
    uint8_t code_bits;
} weights;

/* Bits from the lowest of the first byte on. */
typedef struct {
    const uint8_t *bytes;
    uint32_t held;
    uint8_t n_held;
} bits;

static uint32_t take(bits *from, uint8_t n) {
    uint32_t taken;
    while (from->n_held < n) {
        from->held |= (uint32_t)*from->bytes++ << from->n_held;
        from->n_held = (uint8_t)(from->n_held + 8);
    }
    taken = from->held & ((1u << n) - 1u);
    from->held >>= n;
    from->n_held = (uint8_t)(from->n_held - n);
    return taken;
}

typedef struct {
    const weights *of;
    bits places;
    bits codes;
    uint32_t entry; /* distances taken */
    uint32_t kept;  /* weights taken */
    uint32_t at;    /* position of the next kept weight; n after the last */
} walk;

/* Advances to the next kept weight from `at` on. */
static void seek(walk *w) {
    const weights *of = w->of;
    if (of->places == 0) {
        return;
    }
    if (of->gap_bits == 0) {
        while (w->at < of->n && take(&w->places, 1) == 0) {
            w->at++;
        }
        return;
    }
    while (w->entry < of->n_entries) {
        uint32_t gap = take(&w->places, of->gap_bits);
        w->entry++;
        w->at += gap;
        if (gap != (1u << of->gap_bits) - 1u) {
            return;
        }
    }
    w->at = of->n;
}

static walk walk_along(const weights *of) {
    walk w;
    memset(&w, 0, sizeof w);
    w.of = of;
    w.places.bytes = of->places;
    w.codes.bytes = of->codes;
    seek(&w);
    return w;
}

/* The level of the weight at `at`; advances to the next. */
static uint32_t next_level(walk *w) {
    const weights *of = w->of;
    uint32_t level = of->codes != 0 ? take(&w->codes, of->code_bits) : w->kept;
    w->kept++;
    w->at++;
    seek(w);
    return level;
}
/* == next_weight */
/* The weight at `at`; advances to the next. */
static float next_weight(walk *w) {
    return w->of->levels[next_level(w)];
}
/* == linear */
/* y[o] = sum of w[o][i] x[i] + bias[o] */
static void linear(const weights *of, const float *bias, uint32_t n_in, uint32_t n_out, const float *x, float *y) {
    walk w = walk_along(of);
    uint32_t o, first = 0;
    for (o = 0; o < n_out; o++, first += n_in) {
        float sum = 0.0f;
        while (w.at < first + n_in) {
            uint32_t i = w.at - first;
            sum += next_weight(&w) * x[i];
        }
        y[o] = bias != 0 ? sum + bias[o] : sum;
    }
}
/* == geometry */
typedef struct {
    uint32_t channels, height, width; /* of the input */
    uint32_t out, rows, columns;      /* of the output */
    uint32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
    uint32_t groups;
} geometry;

/* The outputs, of n, at which a tap is inside an input of `size`: from *first up to the result, exclusive. */
static uint32_t reach(uint32_t tap, uint32_t before, uint32_t stride, uint32_t size, uint32_t n, uint32_t *first) {
    uint32_t end;
    *first = tap < before ? (before - tap + stride - 1u) / stride : 0;
    if (tap >= size + before) {
        return *first;
    }
    end = (size + before - tap - 1u) / stride + 1u;
    return end < n ? end : n;
}

/* == convolution */
/* Each kept weight times the part of its input channel that it sees is added to its output channel. */
static void convolution(const geometry *g, const weights *of, const float *bias, const float *x, float *y) {
    walk w = walk_along(of);
    uint32_t per_group = g->channels / g->groups, area = g->rows * g->columns;
    uint32_t taps = g->kernel_h * g->kernel_w, n = per_group * taps, first = 0, o;
    for (o = 0; o < g->out; o++, first += n, y += area) {
        const float *group = x + (size_t)(o / (g->out / g->groups) * per_group) * g->height * g->width;
        uint32_t i;
        for (i = 0; i < area; i++) {
            y[i] = 0.0f;
        }
        while (w.at < first + n) {
            uint32_t k = w.at - first, channel = k / taps, tap = k % taps;
            uint32_t down = tap / g->kernel_w * g->dilation_h, across = tap % g->kernel_w * g->dilation_w;
            uint32_t r, c, r0, c0;
            uint32_t r1 = reach(down, g->top, g->stride_h, g->height, g->rows, &r0);
            uint32_t c1 = reach(across, g->left, g->stride_w, g->width, g->columns, &c0);
            float weight = next_weight(&w);
            for (r = r0; r < r1; r++) {
                const float *row = group + (size_t)(channel * g->height + r * g->stride_h + down - g->top) * g->width;
                for (c = c0; c < c1; c++) {
                    y[r * g->columns + c] += weight * row[c * g->stride_w + across - g->left];
                }
            }
        }
        for (i = 0; bias != 0 && i < area; i++) {
            y[i] += bias[o];
        }
    }
}
/* == bytes */
/* == quantize */
/* The bytes nearest to x / scale + zero, halves to even; four take the place of a float. */
static void quantize(float inverse, float zero, uint32_t n, const float *x, float *to) {
    uint8_t *q = (uint8_t *)to;
    uint32_t i;
    for (i = 0; i < n; i++) {
        float v = x[i] * inverse + zero;
        uint32_t bits;
        v = v > 0.0f ? v : 0.0f;
        v = v < 255.0f ? v : 255.0f;
        v += 12582912.0f; /* 1.5 times 2^23: the last bits are the nearest whole number */
        memcpy(&bits, &v, sizeof bits);
        q[i] = (uint8_t)(bits & 0xffu);
    }
}
/* == linear_int8 */
/* y[o] = scale[o] times the sum of w[o][i] q[i], plus bias[o]; levels are bytes, `per_row` for each row or the same for all. */
static void linear_int8(const weights *of, const int8_t *levels, uint32_t per_row, const float *scale, const float *bias,
                        uint32_t n_in, uint32_t n_out, const float *x, float *y) {
    const uint8_t *q = (const uint8_t *)x;
    walk w = walk_along(of);
    uint32_t o, first = 0;
    for (o = 0; o < n_out; o++, first += n_in, levels += per_row) {
        int32_t sum = 0;
        while (w.at < first + n_in) {
            uint32_t i = w.at - first;
            sum += (int32_t)levels[next_level(&w)] * (int32_t)q[i];
        }
        y[o] = (float)sum * scale[o] + bias[o];
    }
}
/* == convolution_int8 */
/* As `convolution`, over bytes of which `zero` is 0. Until a row is complete, its floats hold the bits of integers. */
static void convolution_int8(const geometry *g, const weights *of, const int8_t *levels, uint32_t per_row, int32_t zero,
                             const int32_t *start, const float *scale, const float *bias, const float *x, float *y) {
    const uint8_t *q = (const uint8_t *)x;
    walk w = walk_along(of);
    uint32_t per_group = g->channels / g->groups, area = g->rows * g->columns;
    uint32_t taps = g->kernel_h * g->kernel_w, n = per_group * taps, first = 0, o;
    for (o = 0; o < g->out; o++, first += n, y += area, levels += per_row) {
        const uint8_t *group = q + (size_t)(o / (g->out / g->groups) * per_group) * g->height * g->width;
        uint32_t i;
        for (i = 0; i < area; i++) {
            memcpy(&y[i], &start[o], sizeof start[o]);
        }
        while (w.at < first + n) {
            uint32_t k = w.at - first, channel = k / taps, tap = k % taps;
            uint32_t down = tap / g->kernel_w * g->dilation_h, across = tap % g->kernel_w * g->dilation_w;
            uint32_t r, c, r0, c0;
            uint32_t r1 = reach(down, g->top, g->stride_h, g->height, g->rows, &r0);
            uint32_t c1 = reach(across, g->left, g->stride_w, g->width, g->columns, &c0);
            int32_t weight = levels[next_level(&w)];
            for (r = r0; r < r1; r++) {
                const uint8_t *row = group + (size_t)(channel * g->height + r * g->stride_h + down - g->top) * g->width;
                for (c = c0; c < c1; c++) {
                    float *to = &y[r * g->columns + c];
                    int32_t sum;
                    memcpy(&sum, to, sizeof sum);
                    sum += weight * ((int32_t)row[c * g->stride_w + across - g->left] - zero);
                    memcpy(to, &sum, sizeof sum);
                }
            }
        }
        for (i = 0; i < area; i++) {
            int32_t sum;
            memcpy(&sum, &y[i], sizeof sum);
            y[i] = (float)sum * scale[o] + bias[o];
        }
    }
}
