static void prep_threshold(float level, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] < level ? 0.0f : x[i];
    }
}
