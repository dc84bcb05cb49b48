/* Element by element; a step of 0 repeats an operand along a dimension. */
static void pairwise(char operation, uint32_t rank, const uint32_t *dims, const uint32_t *a_step, const uint32_t *b_step,
                     const float *a, const float *b, float *y) {
    uint32_t index[8] = {0};
    for (;;) {
        uint32_t d = rank;
        switch (operation) {
        case '+':
            *y++ = *a + *b;
            break;
        case '-':
            *y++ = *a - *b;
            break;
        case '*':
            *y++ = *a * *b;
            break;
        default:
            *y++ = *a / *b;
            break;
        }
        for (;;) {
            if (d == 0) {
                return;
            }
            d--;
            if (++index[d] < dims[d]) {
                a += a_step[d];
                b += b_step[d];
                break;
            }
            a -= (size_t)a_step[d] * (dims[d] - 1u);
            b -= (size_t)b_step[d] * (dims[d] - 1u);
            index[d] = 0;
        }
    }
}
