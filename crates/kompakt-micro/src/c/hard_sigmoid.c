static void hard_sigmoid(float slope, float offset, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = hard_sigmoid_of(x[i], slope, offset);
    }
}
