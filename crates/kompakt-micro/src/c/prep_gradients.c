/* Newton's square root of x >= 0. */
static double prep_root(double x) {
    double root = x > 1.0 ? x : 1.0, next;
    if (x <= 0.0) {
        return 0.0;
    }
    for (;;) {
        next = 0.5 * (root + x / root);
        if (next >= root) {
            return root;
        }
        root = next;
    }
}

/* How position i of n is shared between the cells whose centres are beside it: cell and share of each. */
static void prep_shares(uint32_t i, uint32_t n, uint32_t side, uint32_t cell[2], double share[2]) {
    double at = ((double)i + 0.5) * ((double)side / (double)n) - 0.5;
    int32_t low = at < 0.0 ? -1 : (int32_t)at;
    share[1] = at - (double)low;
    share[0] = 1.0 - share[1];
    cell[0] = low < 0 ? 0 : (uint32_t)low;
    cell[1] = (uint32_t)(low + 1);
    if (low < 0) {
        share[0] = 0.0;
    }
    if (cell[1] >= side) {
        cell[1] = 0;
        share[1] = 0.0;
    }
}

/* One grid of histograms of gradient directions, contrast-normalised. `circle`: cosine and sine of each direction, then of
 * the first again; `sine`: of the angle between adjacent directions. */
static void prep_gradients(uint32_t directions, const double *circle, double sine, uint32_t side, float locality, uint32_t roots,
                           uint32_t height, uint32_t width, const float *x, float *y) {
    uint32_t r, s, i, j, k, cells = side * side;
    double all = 0.0;
    for (i = 0; i < directions * cells; i++) {
        y[i] = 0.0f;
    }
    for (r = 0; r < height; r++) {
        uint32_t row_cell[2], column_cell[2];
        double row_share[2], column_share[2];
        prep_shares(r, height, side, row_cell, row_share);
        for (s = 0; s < width; s++) {
            double left = s > 0 ? (double)x[r * width + s - 1u] : 0.0;
            double right = s + 1u < width ? (double)x[r * width + s + 1u] : 0.0;
            double above = r > 0 ? (double)x[(r - 1u) * width + s] : 0.0;
            double below = r + 1u < height ? (double)x[(r + 1u) * width + s] : 0.0;
            double across = right - left, down = below - above, before, next;
            if (across == 0.0 && down == 0.0) {
                continue;
            }
            before = circle[0] * down - circle[1] * across;
            for (k = 0; k < directions; k++, before = next) {
                next = circle[2u * k + 2u] * down - circle[2u * k + 3u] * across;
                if (before >= 0.0 && next < 0.0) {
                    break;
                }
            }
            if (k == directions) {
                continue;
            }
            prep_shares(s, width, side, column_cell, column_share);
            for (i = 0; i < 2; i++) {
                for (j = 0; j < 2; j++) {
                    float *cell = y + row_cell[i] * side + column_cell[j];
                    double share = row_share[i] * column_share[j];
                    cell[k * cells] += (float)(share * (-next / sine));
                    cell[(k + 1u) % directions * cells] += (float)(share * (before / sine));
                }
            }
        }
    }
    for (i = 0; i < directions * cells; i++) {
        all += (double)y[i] * (double)y[i];
    }
    all /= (double)(directions * cells);
    for (i = 0; i < cells; i++) {
        double own = 0.0, norm;
        for (k = 0; k < directions; k++) {
            own += (double)y[k * cells + i] * (double)y[k * cells + i];
        }
        norm = prep_root((double)locality * (own / (double)directions) + (1.0 - (double)locality) * all);
        for (k = 0; k < directions; k++) {
            double value = norm > 0.0 ? (double)y[k * cells + i] / norm : 0.0;
            y[k * cells + i] = (float)(roots ? prep_root(value) : value);
        }
    }
}
