static void leaky_relu(float slope, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] < 0.0f ? x[i] * slope : x[i];
    }
}
