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
