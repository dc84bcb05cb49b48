/* == zero */
static void zero(uint32_t n, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = 0.0f;
    }
}
/* == copy */
/* A box of elements from x to y, each with its own strides. */
static void copy(uint32_t rank, const uint32_t *dims, const uint32_t *x_step, const uint32_t *y_step, const float *x, float *y) {
    uint32_t index[8] = {0};
    for (;;) {
        uint32_t d = rank;
        *y = *x;
        for (;;) {
            if (d == 0) {
                return;
            }
            d--;
            if (++index[d] < dims[d]) {
                x += x_step[d];
                y += y_step[d];
                break;
            }
            x -= (size_t)x_step[d] * (dims[d] - 1u);
            y -= (size_t)y_step[d] * (dims[d] - 1u);
            index[d] = 0;
        }
    }
}
/* == gather */
/* Along one dimension of `from`, the elements of the indices; `outer` before it, `inner` after it. */
static void gather(uint32_t outer, uint32_t from, uint32_t inner, const uint32_t *indices, uint32_t n, const float *x, float *y) {
    uint32_t o, i;
    for (o = 0; o < outer; o++, x += (size_t)from * inner) {
        for (i = 0; i < n; i++, y += inner) {
            memcpy(y, x + (size_t)indices[i] * inner, inner * sizeof *y);
        }
    }
}
/* == pairwise */
/* Element by element; a step of 0 repeats an operand along a dimension. */
static void pairwise(float (*f)(float, float), uint32_t rank, const uint32_t *dims, const uint32_t *a_step, const uint32_t *b_step,
                     const float *a, const float *b, float *y) {
    uint32_t index[8] = {0};
    for (;;) {
        uint32_t d = rank;
        *y++ = f(*a, *b);
        for (;;) {
            if (d == 0) {
                return;
            }
            d--;
            if (++index[d] < dims[d]) {
                a += a_step[d];
                b += b_step[d];
                break;
            }
            a -= (size_t)a_step[d] * (dims[d] - 1u);
            b -= (size_t)b_step[d] * (dims[d] - 1u);
            index[d] = 0;
        }
    }
}
/* == resize */
/* Bilinear: pixel i is taken at i step + offset, between its two neighbours in each direction. */
static void neighbours(uint32_t i, float step, float offset, uint32_t n, uint32_t *first, uint32_t *second, float *share) {
    float at = (float)i * step + offset, last = (float)(n - 1u);
    at = at < 0.0f ? 0.0f : at > last ? last : at;
    *first = (uint32_t)at;
    *second = *first + 1u < n ? *first + 1u : n - 1u;
    *share = at - (float)*first;
}

static void resize(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float step[2],
                   const float offset[2], const float *x, float *y) {
    uint32_t c, r, s, top, bottom, left, right;
    float v, u;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++) {
            neighbours(r, step[0], offset[0], height, &top, &bottom, &v);
            for (s = 0; s < columns; s++) {
                float above, below;
                neighbours(s, step[1], offset[1], width, &left, &right, &u);
                above = x[top * width + left] * (1.0f - u) + x[top * width + right] * u;
                below = x[bottom * width + left] * (1.0f - u) + x[bottom * width + right] * u;
                *y++ = above * (1.0f - v) + below * v;
            }
        }
    }
}
