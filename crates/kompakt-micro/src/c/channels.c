/* == scale_bias */
static void scale_bias(const float *scale, const float *bias, uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < area; i++) {
            *y++ = *x++ * scale[c] + bias[c];
        }
    }
}
/* == prelu */
static void prelu(const float *slope, uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < area; i++, x++) {
            *y++ = *x < 0.0f ? *x * slope[c] : *x;
        }
    }
}
/* == softmax */
/* Over the channels, position by position. */
static void softmax(uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t i, c;
    for (i = 0; i < area; i++) {
        float largest = x[i], sum = 0.0f;
        for (c = 1; c < channels; c++) {
            largest = x[c * area + i] > largest ? x[c * area + i] : largest;
        }
        for (c = 0; c < channels; c++) {
            float e = exponential(x[c * area + i] - largest);
            y[c * area + i] = e;
            sum += e;
        }
        for (c = 0; c < channels; c++) {
            y[c * area + i] /= sum;
        }
    }
}
/* == log_softmax */
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
/* == local_response_norm */
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
