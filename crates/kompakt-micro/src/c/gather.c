/* Along one dimension of `from`, the elements of the indices; `outer` before it, `inner` after it. */
static void gather(uint32_t outer, uint32_t from, uint32_t inner, const uint32_t *indices, uint32_t n, const float *x, float *y) {
    uint32_t o, i;
    for (o = 0; o < outer; o++, x += (size_t)from * inner) {
        for (i = 0; i < n; i++, y += inner) {
            memcpy(y, x + (size_t)indices[i] * inner, inner * sizeof *y);
        }
    }
}
