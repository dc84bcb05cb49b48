/* Brightness of red, green and blue as in ITU-R BT.601. */
static void prep_grayscale(uint32_t plane, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < plane; i++) {
        y[i] = (float)(0.299 * (double)x[i] + 0.587 * (double)x[plane + i] + 0.114 * (double)x[2 * plane + i]);
    }
}
