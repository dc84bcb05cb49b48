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
