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
