/* The kept weights of a layer, in row-major order. Their positions are a flag for each weight (gap_bits 0), the distance from
 * one to the next in gap_bits bits, or nothing where all are kept. A distance of all ones skips that many weights and keeps
 * none. Their values are codes into the levels, or a float each. */
typedef struct {
    const uint8_t *places;  /* flags or distances; null where all are kept */
    const uint8_t *codes;   /* null where each has a value of its own */
    const float *levels;    /* by code, or one per kept weight */
    uint32_t n;             /* weights, pruned ones included */
    uint32_t n_entries;     /* distances */
    uint8_t gap_bits;
    uint8_t code_bits;
} weights;

/* Bits from the lowest of the first byte on. */
typedef struct {
    const uint8_t *bytes;
    uint32_t held;
    uint8_t n_held;
} bits;

static uint32_t take(bits *from, uint8_t n) {
    uint32_t taken;
    while (from->n_held < n) {
        from->held |= (uint32_t)*from->bytes++ << from->n_held;
        from->n_held = (uint8_t)(from->n_held + 8);
    }
    taken = from->held & ((1u << n) - 1u);
    from->held >>= n;
    from->n_held = (uint8_t)(from->n_held - n);
    return taken;
}

typedef struct {
    const weights *of;
    bits places;
    bits codes;
    uint32_t entry; /* distances taken */
    uint32_t kept;  /* weights taken */
    uint32_t at;    /* position of the next kept weight; n after the last */
} walk;

/* Advances to the next kept weight from `at` on. */
static void seek(walk *w) {
    const weights *of = w->of;
    if (of->places == 0) {
        return;
    }
    if (of->gap_bits == 0) {
        while (w->at < of->n && take(&w->places, 1) == 0) {
            w->at++;
        }
        return;
    }
    while (w->entry < of->n_entries) {
        uint32_t gap = take(&w->places, of->gap_bits);
        w->entry++;
        w->at += gap;
        if (gap != (1u << of->gap_bits) - 1u) {
            return;
        }
    }
    w->at = of->n;
}

static walk walk_along(const weights *of) {
    walk w;
    memset(&w, 0, sizeof w);
    w.of = of;
    w.places.bytes = of->places;
    w.codes.bytes = of->codes;
    seek(&w);
    return w;
}

/* The weight at `at`; advances to the next. */
static float next_weight(walk *w) {
    const weights *of = w->of;
    uint32_t level = of->codes != 0 ? take(&w->codes, of->code_bits) : w->kept;
    w->kept++;
    w->at++;
    seek(w);
    return of->levels[level];
}
