static void local_response_norm(uint32_t size, float alpha, float beta, float bias, uint32_t channels, uint32_t area,
                                const float *x, float *y) {
    uint32_t i, c, k;
    for (c = 0; c < channels; c++) {
        uint32_t from = c < (size - 1u) / 2u ? 0 : c - (size - 1u) / 2u;
        uint32_t end = c + size / 2u + 1u < channels ? c + size / 2u + 1u : channels;
        for (i = 0; i < area; i++) {
            float sum = 0.0f;
            for (k = from; k < end; k++) {
                sum += x[k * area + i] * x[k * area + i];
            }
            y[c * area + i] = x[c * area + i] * exponential(-beta * logarithm(bias + alpha / (float)size * sum));
        }
    }
}
