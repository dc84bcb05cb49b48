/* The positions that cell i of m covers, of n, and how much of the first and the last of them. */
static void prep_span(uint32_t i, uint32_t m, uint32_t n, uint32_t *from, uint32_t *end, double *begins, double *ends) {
    double scale = (double)n / (double)m;
    *begins = (double)i * scale;
    *ends = (double)(i + 1u) * scale;
    *ends = *ends < (double)n ? *ends : (double)n;
    *from = (uint32_t)*begins;
    *end = (uint32_t)*ends;
    *end = (double)*end < *ends ? *end + 1u : *end;
    *end = *end < n ? *end : n;
}

static double prep_covered(uint32_t at, double begins, double ends) {
    double from = (double)at > begins ? (double)at : begins;
    double end = (double)(at + 1u) < ends ? (double)(at + 1u) : ends;
    return end > from ? end - from : 0.0;
}

/* Each pixel is the mean over the area that it covers. */
static void prep_area(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float *x, float *y) {
    uint32_t c, r, s, i, j, top, bottom, left, right;
    double v0, v1, u0, u1;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++) {
            prep_span(r, rows, height, &top, &bottom, &v0, &v1);
            for (s = 0; s < columns; s++) {
                double sum = 0.0;
                prep_span(s, columns, width, &left, &right, &u0, &u1);
                for (i = top; i < bottom; i++) {
                    double across = 0.0;
                    for (j = left; j < right; j++) {
                        across += prep_covered(j, u0, u1) * (double)x[i * width + j];
                    }
                    sum += prep_covered(i, v0, v1) * across;
                }
                *y++ = (float)(sum / ((v1 - v0) * (u1 - u0)));
            }
        }
    }
}
