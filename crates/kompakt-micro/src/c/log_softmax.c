static void log_softmax(uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t i, c;
    for (i = 0; i < area; i++) {
        float largest = x[i], sum = 0.0f;
        for (c = 1; c < channels; c++) {
            largest = x[c * area + i] > largest ? x[c * area + i] : largest;
        }
        for (c = 0; c < channels; c++) {
            sum += exponential(x[c * area + i] - largest);
        }
        sum = logarithm(sum);
        for (c = 0; c < channels; c++) {
            y[c * area + i] = x[c * area + i] - largest - sum;
        }
    }
}
