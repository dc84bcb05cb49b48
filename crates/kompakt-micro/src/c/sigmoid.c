static void sigmoid(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = 1.0f / (1.0f + exponential(-x[i]));
    }
}
