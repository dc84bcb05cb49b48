static void prelu(const float *slope, uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < area; i++, x++) {
            *y++ = *x < 0.0f ? *x * slope[c] : *x;
        }
    }
}
