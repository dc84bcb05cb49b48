"""A tensor of weights, row by row."""

from ..trellis import after, distance_of
from .coder import INPUT_MAX, clamp, log, ratio, require, squash
from .constants import (
    COLUMN_PRIOR,
    NEAR_PRIOR,
    PRODUCER_PRIOR,
    RATIO_PRIOR,
    ROW_MEMORY,
    ROW_PRIOR,
    TENSOR_PRIOR,
    WINDOW_PRIOR,
)
from .models import Balance, Means
from .picture import (
    ABOVE,
    ABOVE_2,
    ABOVE_DOWN,
    ABOVE_RIGHT,
    LEFT,
    LEFT_2,
    N_NEAR,
    PLANE,
    Picture,
    REACH,
    ROWS_BACK,
    UP,
    UP_2,
    UP_LEFT,
    UP_RIGHT,
)


class Tensor:
    """Statistics over the rows so far."""

    def __init__(self):
        self.n_kept, self.balance, self.magnitude, self.n_values = 0, Balance(), 0, 0
        self.last, self.faded = (0, 0), (0, 0)

    def row_prior(self):
        """What the next row keeps for each one expected: a quarter of the last row, the rest of all of them."""
        of = [((kept + RATIO_PRIOR) << 16) // (expected + RATIO_PRIOR) for kept, expected in (self.last, self.faded)]
        return (of[0] + 3 * of[1]) // 4

    def end_row(self, row):
        self.n_kept += row.n_kept
        self.last = (row.n_kept << 16, row.expected)
        self.faded = tuple((old * ROW_MEMORY >> 8) + new for old, new in zip(self.faded, self.last))


class Row:
    """Statistics over the row so far."""

    def __init__(self, index, prior):
        self.index, self.prior = index, prior
        self.n_kept, self.expected, self.balance, self.magnitude = 0, 0, Balance(), 0
        self.agreed, self.disagreed = 0, 0


class Columns:
    """Statistics over every column, and how likely its next weight is kept."""

    def __init__(self, n):
        self.kept, self.positive, self.magnitude = [0] * n, [0] * n, [0] * n
        self.logit, self.p = [0] * n, [0] * n

    def estimate(self, picture, rows, n_kept):
        overall = ((n_kept << 16) + TENSOR_PRIOR) // (rows * len(self.kept) + 64)
        prior = 2 * NEAR_PRIOR
        for column, kept in enumerate(self.kept):
            near, n_near = self.neighbours(picture, column)
            share = (1 << 60) // ((n_near * rows << 16) + prior)
            nearby = ((near << 16) + (prior * overall >> 16)) * share >> 44
            ones = (kept << 16) + (COLUMN_PRIOR * nearby >> 16)
            zeros = ((rows - kept) << 16) + (COLUMN_PRIOR * (65536 - nearby) >> 16)
            self.logit[column] = clamp(ratio(ones, zeros), -INPUT_MAX, INPUT_MAX)
            self.p[column] = squash(self.logit[column])

    def neighbours(self, picture, column):
        """Kept weights of the columns around one, and how many these are: edges count twice."""
        y, x = divmod(column % picture.area, picture.width)
        kept, count = 0, 0
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                inside = 0 <= y + dy < picture.height and 0 <= x + dx < picture.width
                if inside and (dy or dx):
                    weight = 1 if dy and dx else 2
                    kept += weight * self.kept[column + dy * picture.width + dx]
                    count += weight
        return kept, count


class Quantiser:
    """The weights of one quantiser of a trellis so far."""

    def __init__(self):
        self.n, self.n_kept, self.expected, self.shift = 0, 0, 0, 0

    def estimate(self):
        def odds(ones):
            return ratio(ones + (8 << 16), ((self.n + 8) << 16) - ones)

        self.shift = odds(self.n_kept << 16) - odds(self.expected)

    def count(self, is_kept, p):
        self.n += 1
        self.n_kept += is_kept
        self.expected += p


class Place:
    """What is known about a weight before it is read."""


class Around:
    """The kept weights around one: signs, magnitudes (or None), and sums over the window by nearness."""


class Layer:
    """One tensor being read."""

    def __init__(self, models, coder, shape, is_masked, block, levels, negative, counts, grid, trellis):
        self.models, self.coder = models, coder
        self.rows, channels, self.taps = shape
        self.cols = channels * self.taps
        self.is_masked, self.levels, self.negative, self.counts = is_masked, levels, negative, counts
        # How many columns before each one the first of its block is.
        self.first = [column // self.taps % block * self.taps for column in range(self.cols)]
        self.picture = Picture(channels, self.taps, grid)
        require(max(self.rows, self.cols) <= 1 << 28, "A-1", "too many rows or columns")
        require(1 <= levels <= 256 and negative <= levels, "A-1", "no such codebook")
        if grid is not None:
            area = grid[0] * grid[1]
            fits = area == self.taps if self.taps > 1 else area > 0 and channels % area == 0
            require(fits, "A-1", "the grid does not divide a row")
        sides = min(negative, levels - negative)
        require(not trellis or (block == 1 and sides >= 2), "A-1", "a trellis of so few levels, or of blocks")
        self.trellis, self.states, self.quantisers = trellis, [0] * self.cols, [Quantiser(), Quantiser()]
        if counts is not None:
            require(len(counts) == channels, "A-1", "the producer's counts are not one a channel")
            mean = (sum(counts) << 16) // max(len(counts), 1)
            steady = log(mean + PRODUCER_PRIOR)
            self.producer_logits = [log((n << 16) + PRODUCER_PRIOR) - steady >> 1 for n in counts]
        self.kept = [[0] * self.cols for _ in range(self.rows)]
        self.codes = [[0] * self.cols for _ in range(self.rows)]

    def decode(self):
        if self.cols == 0:
            return
        self.tensor, self.columns = Tensor(), Columns(self.cols)
        for index in range(self.rows):
            self.columns.estimate(self.picture, index, self.tensor.n_kept)
            self.start_row()
            self.row = Row(index, self.tensor.row_prior())
            self.expected, self.flags = [0] * self.cols, [0] * self.cols
            for column in range(self.cols):
                self.weight(column)
            self.tensor.end_row(self.row)
            self.coder.check()

    def weight(self, column):
        kind, row = self.picture.kind, self.row
        place = self.place(column)
        row.expected += place.column_p
        self.expected[column] = place.p
        is_kept, kept_logit = 1, 0
        first = column - self.first[column]
        if first < column:
            is_kept, kept_logit = self.kept[row.index][first], self.flags[first]
        elif self.is_masked:
            is_kept, kept_logit = self.models.kept.decode(self.coder, kind, place)
            self.flags[column] = kept_logit
        if is_kept:
            self.codes[row.index][column] = self.level(place, kept_logit)
            self.kept[row.index][column] = 1
        self.move(row.index, column, self.columns.p[column])

    def start_row(self):
        for quantiser in self.quantisers if self.trellis else []:
            quantiser.estimate()

    def shifted(self, column, logit, p):
        """Logit and probability of a column, by its quantiser."""
        if not self.trellis:
            return logit, p
        logit = clamp(logit + self.quantisers[self.states[column] & 1].shift, -INPUT_MAX, INPUT_MAX)
        return logit, squash(logit)

    def move(self, row, column, p):
        """On to the state of the next row."""
        if self.trellis:
            is_kept, state = self.kept[row][column], self.states[column]
            self.quantisers[state & 1].count(is_kept, p)
            distance = distance_of(self.codes[row][column], self.negative) if is_kept else None
            self.states[column] = after(state, distance)

    def split(self, code):
        """Whether a code is positive, and its magnitude."""
        if code >= self.negative:
            return True, relative(code - self.negative, self.levels - self.negative)
        return False, relative(self.negative - 1 - code, self.negative)

    def window(self, place):
        """(up, across, column) of the window: three rows above, seven wide, and three on the left."""
        for up in range(min(REACH, place.y), -1, -1):
            last = min(place.x + REACH + 1, self.picture.width) if up else place.x
            for x in range(max(place.x - REACH, 0), last):
                yield up, x - place.x, place.column + x - place.x - up * self.picture.width

    def place(self, column):
        picture, row, columns = self.picture, self.row, self.columns
        at = Place()
        at.row, at.column = row.index, column
        at.plane, at.place = divmod(column, picture.area)
        at.y, at.x = divmod(at.place, picture.width)
        at.present = picture.present(row.index, at.plane, at.y, at.x)
        at.kept = [0] * N_NEAR
        for n, there in enumerate(at.present):
            if there:
                at.kept[n] = self.kept[row.index - ROWS_BACK[n]][column + picture.offsets[n]]
        more = (row.n_kept << 16) + (ROW_PRIOR * row.prior >> 16)
        at.row_logit = clamp(ratio(more, row.expected + ROW_PRIOR), -INPUT_MAX, INPUT_MAX)
        at.column_logit, at.column_p = self.shifted(column, columns.logit[column], columns.p[column])
        at.quantiser = self.states[column] & 1 if self.trellis else None
        at.p = squash(at.column_logit + at.row_logit)
        n_kept, expected = 0, 0
        for _, _, other in self.window(at):
            n_kept += self.kept[row.index][other]
            expected += self.expected[other]
        at.window = ratio((n_kept << 16) + WINDOW_PRIOR, expected + WINDOW_PRIOR)
        at.left_magnitude = self.split(self.codes[row.index][column - 1])[1] if at.kept[LEFT] else 0
        at.producer_logit, at.producer = 0, 0
        if self.counts is not None:
            channel = column // self.taps
            at.producer_logit, at.producer = self.producer_logits[channel], self.counts[channel]
        at.in_column, at.in_row = columns.kept[column], row.n_kept
        return at

    def around(self, place):
        found = {}
        for n in range(N_NEAR):
            if place.kept[n]:
                row = self.codes[self.row.index - ROWS_BACK[n]]
                found[n] = self.split(row[place.column + self.picture.offsets[n]])
        around = Around()
        near = [LEFT, LEFT_2, UP, UP_LEFT, UP_RIGHT, UP_2, ABOVE, ABOVE_2, ABOVE_RIGHT, ABOVE_DOWN, PLANE]
        around.signs = [(1 if found[n][0] else -1) if n in found else 0 for n in near]
        around.magnitudes = [found[n][1] if n in found else None for n in (LEFT, UP, ABOVE, PLANE)]
        around.positive, around.negative, around.magnitude = 0, 0, 0
        for up, across, other in self.window(place):
            if self.kept[self.row.index][other]:
                nearness = 64 // (up * up + across * across)
                positive, magnitude = self.split(self.codes[self.row.index][other])
                around.positive += nearness * positive
                around.negative += nearness * (not positive)
                around.magnitude += nearness * magnitude
        return around

    def level(self, place, kept_logit):
        """The code of a kept weight: its sign, then its magnitude."""
        kind, column, row, tensor, columns = self.picture.kind, place.column, self.row, self.tensor, self.columns
        around = self.around(place)
        positive = int(self.negative == 0)
        if 0 < self.negative < self.levels:
            balance = Balance(columns.kept[column], columns.positive[column])
            positive = self.models.sign.decode(self.coder, kind, tensor.balance, row, balance, around)
            tensor.balance.add(positive)
            row.balance.add(positive)
            columns.positive[column] += positive
            above = around.signs[6]
            if above and (above > 0) == positive:
                row.agreed = min(row.agreed + 1, 1 << 20)
            elif above:
                row.disagreed = min(row.disagreed + 1, 1 << 20)
        side = self.levels - self.negative if positive else self.negative
        overall = (tensor.magnitude + 128) // (tensor.n_values + 1)
        in_column, nearness = columns.kept[column], around.positive + around.negative
        means = Means(
            kept_logit,
            overall,
            (row.magnitude + 2 * overall) // (row.n_kept + 2),
            (columns.magnitude[column] + overall) // (in_column + 1),
            (around.magnitude + 32 * overall) // (nearness + 32),
            around.magnitudes,
            in_column,
        )
        quantiser = self.states[column] & 1
        if self.trellis:
            own = (side + quantiser) // 2
            m = self.models.magnitudes[quantiser].decode(self.coder, kind, means, own, not positive)
            m = 2 * m + 1 - quantiser
        else:
            m = self.models.magnitudes[0].decode(self.coder, kind, means, side, not positive)
        magnitude = relative(m, side)
        tensor.magnitude += magnitude
        tensor.n_values += 1
        row.magnitude += magnitude
        row.n_kept += 1
        columns.magnitude[column] += magnitude
        columns.kept[column] += 1
        return self.negative + m if positive else self.negative - 1 - m


def relative(m, side):
    """The middle of magnitude m of a side, in 1/256 of the side."""
    return (2 * m + 1) * 128 // side
