static void clip(float low, float high, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        float value = x[i] > low ? x[i] : low;
        y[i] = value < high ? value : high;
    }
}
