/* Pixel centres are at half-integers. */
static void prep_neighbours(uint32_t i, uint32_t m, uint32_t n, uint32_t *first, uint32_t *second, double *share) {
    double last = (double)(n - 1u), at = ((double)i + 0.5) * ((double)n / (double)m) - 0.5;
    at = at < 0.0 ? 0.0 : at > last ? last : at;
    *first = (uint32_t)at;
    *second = *first + 1u < n ? *first + 1u : n - 1u;
    *share = at - (double)*first;
}

static void prep_bilinear(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float *x,
                          float *y) {
    uint32_t c, r, s, above, below, left, right;
    double v, u;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++) {
            prep_neighbours(r, rows, height, &above, &below, &v);
            for (s = 0; s < columns; s++) {
                double top, bottom;
                prep_neighbours(s, columns, width, &left, &right, &u);
                top = (1.0 - u) * (double)x[above * width + left] + u * (double)x[above * width + right];
                bottom = (1.0 - u) * (double)x[below * width + left] + u * (double)x[below * width + right];
                *y++ = (float)((1.0 - v) * top + v * bottom);
            }
        }
    }
}
