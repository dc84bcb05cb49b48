static void hard_swish(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] * hard_sigmoid_of(x[i], 1.0f / 6.0f, 0.5f);
    }
}
