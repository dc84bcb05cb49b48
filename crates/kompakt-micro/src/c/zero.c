static void zero(uint32_t n, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = 0.0f;
    }
}
