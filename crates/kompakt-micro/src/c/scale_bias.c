static void scale_bias(const float *scale, const float *bias, uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < area; i++) {
            *y++ = *x++ * scale[c] + bias[c];
        }
    }
}
