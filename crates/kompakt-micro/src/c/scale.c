static void scale(float factor, float offset, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] * factor + offset;
    }
}
