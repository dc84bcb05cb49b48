static void prep_normalize(const float *mean, const float *std, uint32_t channels, uint32_t plane, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < plane; i++) {
            *y++ = (float)(((double)*x++ - (double)mean[c]) / (double)std[c]);
        }
    }
}
