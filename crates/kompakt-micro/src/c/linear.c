/* y[o] = sum of w[o][i] x[i] + bias[o] */
static void linear(const weights *of, const float *bias, uint32_t n_in, uint32_t n_out, const float *x, float *y) {
    walk w = walk_along(of);
    uint32_t o, first = 0;
    for (o = 0; o < n_out; o++, first += n_in) {
        float sum = 0.0f;
        while (w.at < first + n_in) {
            uint32_t i = w.at - first;
            sum += next_weight(&w) * x[i];
        }
        y[o] = bias != 0 ? sum + bias[o] : sum;
    }
}
