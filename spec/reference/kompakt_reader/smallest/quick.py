"""Quick models: those of a section that holds one parameter."""

from .coder import INPUT_MAX, LOGIT_MAX, clamp, counters, log, ratio, squash
from .constants import COLUMN_PRIOR, ROW_PRIOR, TENSOR_PRIOR
from .layer import Layer, Row, Tensor, relative
from .picture import LINE


class QuickModels:
    def __init__(self):
        self.weights = [64 * start for start in (1000, 1000, 20, 600, 200)]
        self.flags, self.signs, self.scaled, self.deep = counters(), counters(), counters(), counters()

    def flag(self, coder, column_logit, row_logit, around, recent):
        """Whether a weight is kept, and the probability that it was read with."""
        base = column_logit + row_logit
        counter = self.flags[around, clamp(base + 1024 >> 7, 0, 15)]
        evidence = clamp(counter.evidence(base, 8), -INPUT_MAX, INPUT_MAX)
        inputs = [column_logit, row_logit, 77, evidence, recent >> 8]
        total = sum((w >> 4) * x for w, x in zip(self.weights, inputs)) + (1 << 11)
        p1 = squash(clamp(total >> 12, -LOGIT_MAX, LOGIT_MAX))
        bit = coder.bit(p1)
        counter.learn(bit, 1000)
        step = ((bit << 16) - p1) * 24 >> 7
        for i, x in enumerate(inputs):
            self.weights[i] = clamp(self.weights[i] + (step * x + (1 << 16) >> 17), -(1 << 18), 1 << 18)
        return bit, p1

    def bit(self, coder, counter):
        bit = coder.bit(counter.chance())
        counter.learn(bit, 1000)
        return bit


class Sums:
    """What a column, a row or a tensor has kept: how many, and their magnitudes."""

    def __init__(self):
        self.n, self.magnitude = 0, 0

    def add(self, other_n, other_magnitude):
        self.n += other_n
        self.magnitude += other_magnitude

    def mean(self):
        return (self.magnitude + 128) // (self.n + 1)

    def scale(self, tensor, prior):
        """The logarithm of the mean magnitude against the tensor's."""
        own = log(self.magnitude + prior * tensor.mean()) - log(self.n + prior)
        return own - (log(tensor.magnitude + 128) - log(tensor.n + 1))


class QuickLayer(Layer):
    """One tensor being read under quick models."""

    def decode(self):
        picture = self.picture
        self.back = (1, 2, 3) if picture.kind == LINE else (1, picture.width, picture.area)
        self.tensor, self.sums = Sums(), [Sums() for _ in range(self.cols)]
        self.ratios = Tensor()
        above = [0] * (self.cols + 1)
        for index in range(self.rows if self.cols else 0):
            self.start_row()
            if index < 8 or index % 8 == 0:
                self.estimates = [self.estimate(index, column) for column in self.sums]
            above = self.read_row(index, above)
            self.coder.check()

    def estimate(self, rows, column):
        """Logit and probability of being kept, and scale."""
        overall = ((self.tensor.n << 16) + TENSOR_PRIOR) // (rows * self.cols + 64)
        ones = COLUMN_PRIOR * overall >> 16
        odds = ratio((column.n << 16) + ones, ((rows - column.n) << 16) + COLUMN_PRIOR - ones)
        logit = clamp(odds, -INPUT_MAX, INPUT_MAX)
        return logit, squash(logit), column.scale(self.tensor, 4)

    def read_row(self, index, above):
        """What the next row has above it: 0 pruned, 1 negative, 2 positive."""
        row, sums, here, recent = Row(index, self.ratios.row_prior()), Sums(), [0] * (self.cols + 1), 0
        for column, (own_logit, own_p, scale) in enumerate(self.estimates):
            logit, p = self.shifted(column, own_logit, own_p)
            if column % 16 == 0:
                more = log((sums.n << 16) + (ROW_PRIOR * row.prior >> 16)) - log(row.expected + ROW_PRIOR)
                row_logit, row_scale = clamp(more, -INPUT_MAX, INPUT_MAX), sums.scale(self.tensor, 3)
            row.expected += p
            near = [here[column - n] if column >= n else 0 for n in self.back] + above[column : column + 2]
            first = column - self.first[column]
            is_kept, quantiser = 1, self.states[column] & 1
            if first < column:
                is_kept = self.kept[index][first]
            elif self.is_masked:
                around = tuple(seen > 0 for seen in near) + (quantiser,)
                is_kept, chance = self.models.quick.flag(self.coder, logit, row_logit, around, recent)
                recent += (is_kept << 16) - chance - recent >> 4
            if is_kept:
                positive, code, magnitude = self.read_code(near, scale + row_scale, quantiser)
                here[column] = 1 + positive
                self.kept[index][column], self.codes[index][column] = 1, code
                sums.add(1, magnitude)
                self.sums[column].add(1, magnitude)
            self.move(index, column, own_p)
        self.tensor.add(sums.n, sums.magnitude)
        row.n_kept = sums.n
        self.ratios.end_row(row)
        return here

    def read_code(self, near, scale, quantiser):
        models, negative = self.models.quick, self.negative
        positive = int(negative == 0)
        if 0 < negative < self.levels:
            positive = models.bit(self.coder, models.signs[tuple(near[:4])])
        side = self.levels - negative if positive else negative
        scale = clamp(scale + 272 >> 5, 0, 15)
        low, high, node = 0, (side + quantiser) // 2 if self.trellis else side, 1
        while high - low > 1:
            middle = (low + high) // 2
            context = (quantiser, positive, node)
            counter = models.scaled[context, scale] if node < 16 else models.deep[context]
            upper = models.bit(self.coder, counter)
            low, high = (middle, high) if upper else (low, middle)
            node = 2 * node + upper
        low = 2 * low + 1 - quantiser if self.trellis else low
        return positive, negative + low if positive else negative - 1 - low, relative(low, side)
