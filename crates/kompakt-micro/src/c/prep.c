/* == root */
/* The square root of x; 0 where there is none. */
static double root(double x) {
    double guess = x > 1.0 ? x : 1.0, next;
    if (!(x > 0.0 && x < 1e300)) {
        return 0.0;
    }
    for (;;) {
        next = 0.5 * (guess + x / guess);
        if (next >= guess) {
            return guess;
        }
        guess = next;
    }
}
/* == prep_invert */
static void prep_invert(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = 1.0f - x[i];
    }
}
/* == prep_grayscale */
/* Brightness of red, green and blue as in ITU-R BT.601. */
static void prep_grayscale(uint32_t plane, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < plane; i++) {
        y[i] = (float)(0.299 * (double)x[i] + 0.587 * (double)x[plane + i] + 0.114 * (double)x[2 * plane + i]);
    }
}
/* == prep_channels */
static void prep_channels(const uint32_t *order, uint32_t n, uint32_t plane, const float *x, float *y) {
    uint32_t c;
    for (c = 0; c < n; c++, y += plane) {
        memcpy(y, x + (size_t)order[c] * plane, plane * sizeof *y);
    }
}
/* == prep_normalize */
static void prep_normalize(const float *mean, const float *std, uint32_t channels, uint32_t plane, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < plane; i++) {
            *y++ = (float)(((double)*x++ - (double)mean[c]) / (double)std[c]);
        }
    }
}
/* == prep_threshold */
static void prep_threshold(float level, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] < level ? 0.0f : x[i];
    }
}
/* == prep_median */
/* The fifth of the nine values around each pixel; outside the image the nearest pixel is used. */
static void prep_median(uint32_t channels, uint32_t height, uint32_t width, const float *x, float *y) {
    uint32_t c, r, s, i, j;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < height; r++) {
            for (s = 0; s < width; s++) {
                float nine[9];
                for (i = 0; i < 9; i++) {
                    uint32_t row = r + i / 3, column = s + i % 3;
                    float value;
                    row = row == 0 ? 0 : row - 1 < height ? row - 1 : height - 1;
                    column = column == 0 ? 0 : column - 1 < width ? column - 1 : width - 1;
                    value = x[row * width + column];
                    for (j = i; j > 0 && nine[j - 1] > value; j--) {
                        nine[j] = nine[j - 1];
                    }
                    nine[j] = value;
                }
                *y++ = nine[4];
            }
        }
    }
}
/* == prep_bilinear */
/* Pixel centres are at half-integers. */
static void prep_neighbours(uint32_t i, uint32_t m, uint32_t n, uint32_t *first, uint32_t *second, double *share) {
    double last = (double)(n - 1u), at = ((double)i + 0.5) * ((double)n / (double)m) - 0.5;
    at = at < 0.0 ? 0.0 : at > last ? last : at;
    *first = (uint32_t)at;
    *second = *first + 1u < n ? *first + 1u : n - 1u;
    *share = at - (double)*first;
}

static void prep_bilinear(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float *x,
                          float *y) {
    uint32_t c, r, s, above, below, left, right;
    double v, u;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++) {
            prep_neighbours(r, rows, height, &above, &below, &v);
            for (s = 0; s < columns; s++) {
                double top, bottom;
                prep_neighbours(s, columns, width, &left, &right, &u);
                top = (1.0 - u) * (double)x[above * width + left] + u * (double)x[above * width + right];
                bottom = (1.0 - u) * (double)x[below * width + left] + u * (double)x[below * width + right];
                *y++ = (float)((1.0 - v) * top + v * bottom);
            }
        }
    }
}
/* == prep_area */
/* The positions that cell i of m covers, of n, and how much of the first and the last of them. */
static void prep_span(uint32_t i, uint32_t m, uint32_t n, uint32_t *from, uint32_t *end, double *begins, double *ends) {
    double scale = (double)n / (double)m;
    *begins = (double)i * scale;
    *ends = (double)(i + 1u) * scale;
    *ends = *ends < (double)n ? *ends : (double)n;
    *from = (uint32_t)*begins;
    *end = (uint32_t)*ends;
    *end = (double)*end < *ends ? *end + 1u : *end;
    *end = *end < n ? *end : n;
}

static double prep_covered(uint32_t at, double begins, double ends) {
    double from = (double)at > begins ? (double)at : begins;
    double end = (double)(at + 1u) < ends ? (double)(at + 1u) : ends;
    return end > from ? end - from : 0.0;
}

/* Each pixel is the mean over the area that it covers. */
static void prep_area(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float *x, float *y) {
    uint32_t c, r, s, i, j, top, bottom, left, right;
    double v0, v1, u0, u1;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++) {
            prep_span(r, rows, height, &top, &bottom, &v0, &v1);
            for (s = 0; s < columns; s++) {
                double sum = 0.0;
                prep_span(s, columns, width, &left, &right, &u0, &u1);
                for (i = top; i < bottom; i++) {
                    double across = 0.0;
                    for (j = left; j < right; j++) {
                        across += prep_covered(j, u0, u1) * (double)x[i * width + j];
                    }
                    sum += prep_covered(i, v0, v1) * across;
                }
                *y++ = (float)(sum / ((v1 - v0) * (u1 - u0)));
            }
        }
    }
}
/* == prep_warp */
/* Source positions of a new image's pixels, and the box outside of which everything is 0. */
typedef struct {
    double top, left, step, shear, middle;
    uint32_t rows[2], columns[2];
} prep_map;

static double prep_pixel(const float *x, uint32_t width, const prep_map *map, double row, double column) {
    if (row < (double)map->rows[0] || row >= (double)map->rows[1] || column < (double)map->columns[0] ||
        column >= (double)map->columns[1]) {
        return 0.0;
    }
    return (double)x[(uint32_t)row * width + (uint32_t)column];
}

/* The largest integer up to x, for |x| < 2^31. */
static double prep_floor(double x) {
    double whole = (double)(int32_t)x;
    return whole > x ? whole - 1.0 : whole;
}

static void prep_warp(const prep_map *map, uint32_t width, uint32_t rows, uint32_t columns, const float *x, float *y) {
    uint32_t r, s;
    for (r = 0; r < rows; r++) {
        double at_row = (double)r * map->step + map->top, above = prep_floor(at_row), v = at_row - above;
        double slant = map->shear * ((double)r - map->middle) + map->left;
        for (s = 0; s < columns; s++) {
            double at_column = (double)s * map->step + slant, left = prep_floor(at_column), u = at_column - left;
            double top = (1.0 - u) * prep_pixel(x, width, map, above, left) + u * prep_pixel(x, width, map, above, left + 1.0);
            double bottom = (1.0 - u) * prep_pixel(x, width, map, above + 1.0, left) +
                            u * prep_pixel(x, width, map, above + 1.0, left + 1.0);
            *y++ = (float)((1.0 - v) * top + v * bottom);
        }
    }
}
/* == prep_deskew */
/* The sum of a pixel's planes, negative sums counting as 0. */
static double prep_mass(const float *x, uint32_t channels, uint32_t plane, uint32_t i) {
    double sum = 0.0;
    uint32_t c;
    for (c = 0; c < channels; c++) {
        sum += (double)x[c * plane + i];
    }
    return sum > 0.0 ? sum : 0.0;
}

/* Shifts the centre of mass to the middle and undoes the slant, by at most max_shear columns per row. */
static void prep_deskew(float max_shear, uint32_t channels, uint32_t height, uint32_t width, const float *x, float *y) {
    uint32_t plane = height * width, r, s, c;
    double m = 0.0, row = 0.0, column = 0.0, both = 0.0, vertical = 0.0;
    prep_map map;
    for (r = 0; r < height; r++) {
        for (s = 0; s < width; s++) {
            double p = prep_mass(x, channels, plane, r * width + s);
            m += p;
            row += p * (double)r;
            column += p * (double)s;
        }
    }
    if (!(m > 0.0)) {
        memcpy(y, x, (size_t)channels * plane * sizeof *y);
        return;
    }
    row /= m;
    column /= m;
    for (r = 0; r < height; r++) {
        double v = (double)r - row;
        for (s = 0; s < width; s++) {
            double p = prep_mass(x, channels, plane, r * width + s);
            both += p * v * ((double)s - column);
            vertical += p * v * v;
        }
    }
    map.middle = (double)(height - 1u) / 2.0;
    map.top = row - map.middle;
    map.left = column - (double)(width - 1u) / 2.0;
    map.step = 1.0;
    map.shear = vertical > 1e-9 * m ? both / vertical : 0.0;
    map.shear = map.shear < -(double)max_shear ? -(double)max_shear : map.shear;
    map.shear = map.shear > (double)max_shear ? (double)max_shear : map.shear;
    map.rows[0] = map.columns[0] = 0;
    map.rows[1] = height;
    map.columns[1] = width;
    for (c = 0; c < channels; c++, x += plane, y += plane) {
        prep_warp(&map, width, height, width, x, y);
    }
}
/* == prep_crop */
/* The smallest box with all pixels above the threshold, fitted into the middle of a new image. */
static void prep_crop(float threshold, uint32_t margin, uint32_t channels, uint32_t height, uint32_t width, uint32_t rows,
                      uint32_t columns, const float *x, float *y) {
    uint32_t plane = height * width, i, c;
    double down, across;
    prep_map map;
    map.rows[0] = height;
    map.columns[0] = width;
    map.rows[1] = map.columns[1] = 0;
    for (i = 0; i < channels * plane; i++) {
        if (x[i] > threshold) {
            uint32_t r = i % plane / width, s = i % plane % width;
            map.rows[0] = r < map.rows[0] ? r : map.rows[0];
            map.rows[1] = r + 1u > map.rows[1] ? r + 1u : map.rows[1];
            map.columns[0] = s < map.columns[0] ? s : map.columns[0];
            map.columns[1] = s + 1u > map.columns[1] ? s + 1u : map.columns[1];
        }
    }
    if (map.rows[1] == 0) {
        map.rows[0] = map.columns[0] = 0;
        map.rows[1] = height;
        map.columns[1] = width;
    }
    down = (double)(map.rows[1] - map.rows[0]) / (double)(rows - 2u * margin);
    across = (double)(map.columns[1] - map.columns[0]) / (double)(columns - 2u * margin);
    map.step = down > across ? down : across;
    map.top = (double)(map.rows[0] + map.rows[1] - 1u) / 2.0 - map.step * ((double)(rows - 1u) / 2.0);
    map.left = (double)(map.columns[0] + map.columns[1] - 1u) / 2.0 - map.step * ((double)(columns - 1u) / 2.0);
    map.shear = map.middle = 0.0;
    for (c = 0; c < channels; c++, x += plane, y += (size_t)rows * columns) {
        prep_warp(&map, width, rows, columns, x, y);
    }
}
/* == prep_gradients */
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
        norm = root((double)locality * (own / (double)directions) + (1.0 - (double)locality) * all);
        for (k = 0; k < directions; k++) {
            double value = norm > 0.0 ? (double)y[k * cells + i] / norm : 0.0;
            y[k * cells + i] = (float)(roots ? root(value) : value);
        }
    }
}
/* == prep_center_crop */
static void prep_center_crop(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float *x,
                             float *y) {
    uint32_t c, r;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++, y += columns) {
            memcpy(y, x + (size_t)((height - rows) / 2u + r) * width + (width - columns) / 2u, columns * sizeof *y);
        }
    }
}
/* == prep_subtract */
/* A small image, enlarged, is subtracted. */
static void prep_subtract(const float *small, uint32_t rows, uint32_t columns, uint32_t channels, uint32_t height, uint32_t width,
                          const float *x, float *y) {
    uint32_t i;
    prep_bilinear(channels, rows, columns, height, width, small, y);
    for (i = 0; i < channels * height * width; i++) {
        y[i] = x[i] - y[i];
    }
}
