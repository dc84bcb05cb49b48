"""Preprocessing steps, written from spec/preprocessing.md and nothing else.

Slow and clear. A step is a dictionary as in the JSON of the spec: {"step": "deskew", "max_shear": 1.0}. Images are
flat lists of numbers, shapes are lists [channels, height, width] or [n]. Rule ids stand beside the code.
"""

import hashlib
import math
import struct


class PrepError(ValueError):
    """A list of steps that a reader must refuse."""


def f32(value):
    """The binary32 number nearest to value."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def byte_value(byte):
    """P-1."""
    return f32(byte / 255)


# P-2: code -> name and kinds of numbers; "i*" and "f*" take all that are left.
CODES = {
    1: ("invert", []),
    2: ("grayscale", []),
    3: ("channels", [("order", "i*")]),
    4: ("normalize", [("mean_std", "f*")]),
    5: ("median", []),
    6: ("threshold", [("level", "f")]),
    7: ("resize", [("height", "i"), ("width", "i"), ("filter", "i")]),
    8: ("crop", [("threshold", "f"), ("margin", "i"), ("height", "i"), ("width", "i")]),
    9: ("center", []),
    10: ("deskew", [("max_shear", "f")]),
    11: ("gradients", [("orientations", "i"), ("pixels", "i"), ("locality", "f"), ("roots", "i"), ("cells", "i*")]),
    12: ("center_crop", [("height", "i"), ("width", "i")]),
    13: ("subtract", [("height", "i"), ("width", "i"), ("values", "f*")]),
}
FILTERS = ["bilinear", "area"]


def _number(number, kind):
    """One stored number; an int stands for an integer, a float for a float."""
    if kind == "i":
        if isinstance(number, float) or not 0 <= number < 2**32:
            raise PrepError(f"P-2: {number!r} is no integer from 0 to 2^32 - 1")
        return number
    if isinstance(number, int):
        if abs(number) > 2**24:
            raise PrepError(f"P-2: integer {number} where a float is meant")
        return float(number)
    return f32(number)


def step_from_numbers(code, numbers):
    """P-2: the step that a code and its numbers stand for."""
    if code not in CODES:
        raise PrepError(f"P-2: unknown code {code}")
    if len(numbers) > 512:
        raise PrepError("P-6: more than 512 numbers")
    name, settings = CODES[code]
    step, left = {"step": name}, list(numbers)
    for setting, kind in settings:
        if kind.endswith("*"):
            step[setting] = [_number(n, kind[0]) for n in left]
            left = []
        elif left:
            step[setting] = _number(left.pop(0), kind)
        else:
            raise PrepError(f"P-2: {name} lacks {setting}")
    if left:
        raise PrepError(f"P-2: {len(left)} number(s) left over")
    if name == "normalize":
        both = step.pop("mean_std")
        if len(both) % 2:
            raise PrepError("P-2: an odd count of means and deviations")
        step["mean"], step["std"] = both[: len(both) // 2], both[len(both) // 2 :]
    if name == "resize":
        if step["filter"] >= len(FILTERS):
            raise PrepError("P-2: unknown filter")
        step["filter"] = FILTERS[step["filter"]]
    if name == "gradients":
        if step["roots"] > 1:
            raise PrepError("P-2: roots is 0 or 1")
        step["roots"] = bool(step["roots"])
    return step


def step_to_numbers(step):
    """P-2: the code and the numbers of a step."""
    for code, (name, settings) in CODES.items():
        if name == step["step"]:
            break
    else:
        raise PrepError(f"unknown step {step['step']!r}")
    numbers = []
    for setting, kind in settings:
        if setting == "mean_std":
            values = list(step["mean"]) + list(step["std"])
        elif setting == "filter":
            values = [FILTERS.index(step["filter"])]
        else:
            values = step[setting] if kind.endswith("*") else [step[setting]]
        numbers += [int(v) if kind[0] == "i" else f32(v) for v in values]
    return code, numbers


def steps_hash(shape, steps):
    """P-3: eight bytes."""
    form = bytes([len(shape)]) + b"".join(struct.pack("<I", d) for d in shape)
    for step in steps:
        code, numbers = step_to_numbers(step)
        form += struct.pack("<BH", code, len(numbers))
        for n in numbers:
            form += struct.pack("<Bf", 1, n) if isinstance(n, float) else struct.pack("<Bq", 0, n)
    return hashlib.sha256(form).digest()[:8]


def _check_shape(shape):
    """P-4 and P-6."""
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise PrepError(f"P-4: {shape} is neither an image nor a vector")
    if (len(shape) == 3 and max(shape) > 4096) or math.prod(shape) > 2**24:
        raise PrepError(f"P-6: {shape} is too large")


def _need(condition, rule, what):
    if not condition:
        raise PrepError(f"{rule}: {what}")


def output_shape(step, shape):
    """The shape after a step; refuses what the step cannot work on."""
    name = step["step"]
    finite = lambda *values: all(math.isfinite(v) for v in values)
    if name == "threshold":
        _need(finite(step["level"]), "P-15", "level is finite")
    elif name == "normalize":
        mean, std = step["mean"], step["std"]
        planes = shape[0] if len(shape) == 3 else 1
        _need(len(mean) == len(std) and len(mean) in (1, planes), "P-13", "one entry, or one a channel")
        _need(finite(*mean, *std) and all(s >= 2.0**-126 for s in std), "P-13", "finite; std above 0")
    elif name != "invert":
        _need(len(shape) == 3, "P-4", f"{name} works on images")
        shape = _image_shape(step, *shape)
    _check_shape(shape)
    return shape


def _image_shape(step, c, h, w):
    name = step["step"]
    if name == "grayscale":
        _need(c in (1, 3), "P-11", "one or three channels")
        return [1, h, w]
    if name == "channels":
        _need(all(p < c for p in step["order"]), "P-12", "channels that are there")
        return [len(step["order"]), h, w]
    if name == "resize":
        return [c, step["height"], step["width"]]
    if name == "crop":
        _need(2 * step["margin"] < min(step["height"], step["width"]), "P-17", "margin leaves room")
        _need(math.isfinite(step["threshold"]), "P-17", "threshold is finite")
        return [c, step["height"], step["width"]]
    if name == "center_crop":
        _need(step["height"] <= h and step["width"] <= w, "P-21", "not larger than the image")
        return [c, step["height"], step["width"]]
    if name == "subtract":
        height, width, values = step["height"], step["width"], step["values"]
        _need(1 <= height <= 4096 and 1 <= width <= 4096, "P-22", "sides in range")
        _need(len(values) == c * height * width, "P-22", "as many values as the small image has")
        _need(all(math.isfinite(v) for v in values), "P-22", "values are finite")
    if name == "deskew":
        _need(math.isfinite(step["max_shear"]) and step["max_shear"] >= 0, "P-19", "max_shear is 0 or more")
    if name == "gradients":
        k, cells, pixels = step["orientations"], step["cells"], step["pixels"]
        _need(c == 1, "P-20", "one channel")
        _need(3 <= k <= 64 and len(cells) <= 8 and pixels <= 256, "P-20", "settings in range")
        _need(all(1 <= g <= 256 for g in cells) and 0 <= step["locality"] <= 1, "P-20", "settings in range")
        return [sum(k * g * g for g in cells) + pixels * pixels]
    return [c, h, w]


def shapes(shape, steps):
    """The shape before every step and after the last; refuses a list that does not fit."""
    _need(len(steps) <= 16, "P-6", "at most 16 steps")
    _check_shape(shape)
    result = [list(shape)]
    for step in steps:
        result.append(output_shape(step, result[-1]))
    return result


def apply(shape, steps, x):
    """What a network reads, from one raw input (a flat list of numbers)."""
    before = shapes(shape, steps)
    for i, step in enumerate(steps):
        x = [f32(v) for v in STEPS[step["step"]](step, x, before[i])]
    return x


def _planes(x, shape):
    size = len(x) // shape[0]
    return [x[i * size : (i + 1) * size] for i in range(shape[0])]


def _invert(step, x, shape):
    return [1 - v for v in x]


def _grayscale(step, x, shape):
    if shape[0] == 1:
        return x
    return [0.299 * r + 0.587 * g + 0.114 * b for r, g, b in zip(*_planes(x, shape))]


def _channels(step, x, shape):
    planes = _planes(x, shape)
    return [v for p in step["order"] for v in planes[p]]


def _normalize(step, x, shape):
    planes = _planes(x, shape) if len(shape) == 3 else [x]
    mean, std = ([f32(v) for v in step[key]] for key in ("mean", "std"))
    at = lambda values, c: values[c if len(values) > 1 else 0]
    return [(v - at(mean, c)) / at(std, c) for c, plane in enumerate(planes) for v in plane]


def _median(step, x, shape):
    _, h, w = shape
    y = []
    for p in _planes(x, shape):
        for r in range(h):
            for q in range(w):
                rows = [min(max(r + d, 0), h - 1) for d in (-1, 0, 1)]
                columns = [min(max(q + d, 0), w - 1) for d in (-1, 0, 1)]
                y.append(sorted(p[a * w + b] for a in rows for b in columns)[4])
    return y


def _threshold(step, x, shape):
    level = f32(step["level"])
    return [0.0 if v < level else v for v in x]


def _resize(step, x, shape):
    resize = _bilinear if step["filter"] == "bilinear" else _area
    to = (step["height"], step["width"])
    return [v for p in _planes(x, shape) for v in resize(p, shape[1:], to)]


def _bilinear(x, size, to):
    (h, w), (height, width) = size, to

    def place(i, n, m):
        t = min(max((i + 0.5) * (n / m) - 0.5, 0), n - 1)
        a = math.floor(t)
        return a, min(a + 1, n - 1), t - a

    y = []
    for i in range(height):
        a, b, v = place(i, h, height)
        for j in range(width):
            p, q, u = place(j, w, width)
            top = (1 - u) * x[a * w + p] + u * x[a * w + q]
            bottom = (1 - u) * x[b * w + p] + u * x[b * w + q]
            y.append((1 - v) * top + v * bottom)
    return y


def _area(x, size, to):
    (h, w), (height, width) = size, to
    cover = lambda k, s, e: max(min(e, k + 1) - max(s, k), 0)

    def span(i, n, m):
        s, e = i * (n / m), min((i + 1) * (n / m), n)
        return s, e, range(math.floor(s), min(math.ceil(e), n))

    y = []
    for i in range(height):
        v0, v1, rows = span(i, h, height)
        for j in range(width):
            u0, u1, columns = span(j, w, width)
            total = 0.0
            for r in rows:
                across = 0.0
                for q in columns:
                    across += cover(q, u0, u1) * x[r * w + q]
                total += cover(r, v0, v1) * across
            y.append(total / ((v1 - v0) * (u1 - u0)))
    return y


def _center_crop(step, x, shape):
    _, h, w = shape
    height, width = step["height"], step["width"]
    top, left = (h - height) // 2, (w - width) // 2
    return [p[(top + i) * w + left + j] for p in _planes(x, shape) for i in range(height) for j in range(width)]


def _subtract(step, x, shape):
    small = _planes([f32(v) for v in step["values"]], shape)
    mean = [f32(v) for p in small for v in _bilinear(p, (step["height"], step["width"]), shape[1:])]
    return [v - m for v, m in zip(x, mean)]


def _read_at(x, w, box, a, b):
    """P-17: between the four nearest pixels, 0 outside the box (first row, end row, first column, end column)."""
    r, q = math.floor(a), math.floor(b)
    v, u = a - r, b - q

    def pixel(r, q):
        return x[r * w + q] if box[0] <= r < box[1] and box[2] <= q < box[3] else 0.0

    top = (1 - u) * pixel(r, q) + u * pixel(r, q + 1)
    bottom = (1 - u) * pixel(r + 1, q) + u * pixel(r + 1, q + 1)
    return (1 - v) * top + v * bottom


def _crop(step, x, shape):
    _, h, w = shape
    height, width, margin, threshold = step["height"], step["width"], step["margin"], f32(step["threshold"])
    planes = _planes(x, shape)
    above = [i for i in range(h * w) if any(p[i] > threshold for p in planes)]
    if above:
        rows, columns = [i // w for i in above], [i % w for i in above]
        box = (min(rows), max(rows) + 1, min(columns), max(columns) + 1)
    else:
        box = (0, h, 0, w)
    r0, r1, q0, q1 = box
    s = max((r1 - r0) / (height - 2 * margin), (q1 - q0) / (width - 2 * margin))
    t = (r0 + r1 - 1) / 2 - s * ((height - 1) / 2)
    left = (q0 + q1 - 1) / 2 - s * ((width - 1) / 2)
    return [
        _read_at(p, w, box, i * s + t, j * s + left) for p in planes for i in range(height) for j in range(width)
    ]


def _deskew(step, x, shape):
    _, h, w = shape
    planes = _planes(x, shape)
    limit = f32(step.get("max_shear", 0.0))
    mass = [max(sum(p[i] for p in planes), 0) for i in range(h * w)]
    m = sum(mass)
    if not m > 0:
        return x
    row = sum(p * (i // w) for i, p in enumerate(mass)) / m
    column = sum(p * (i % w) for i, p in enumerate(mass)) / m
    both = sum(p * (i // w - row) * (i % w - column) for i, p in enumerate(mass))
    vertical = sum(p * (i // w - row) ** 2 for i, p in enumerate(mass))
    k = both / vertical if vertical > 1e-9 * m else 0.0
    k = min(max(k, -limit), limit)
    middle = (h - 1) / 2
    box = (0, h, 0, w)
    return [
        _read_at(p, w, box, i + (row - middle), j + (k * (i - middle) + (column - (w - 1) / 2)))
        for p in planes
        for i in range(h)
        for j in range(w)
    ]


def _directions(x, h, w, n):
    """P-20, points 1 and 2: (row, column, [(direction, part), (direction, part)]) for pixels with a gradient."""
    units = [(math.cos(2 * math.pi * k / n), math.sin(2 * math.pi * k / n)) for k in range(n)]
    sine = math.sin(2 * math.pi / n)
    pixel = lambda r, q: x[r * w + q] if 0 <= r < h and 0 <= q < w else 0.0
    for r in range(h):
        for q in range(w):
            gx, gy = pixel(r, q + 1) - pixel(r, q - 1), pixel(r + 1, q) - pixel(r - 1, q)
            if gx == 0 and gy == 0:
                continue
            s = [cos * gy - sin * gx for cos, sin in units]
            for k in range(n):
                after = (k + 1) % n
                if s[k] >= 0 and s[after] < 0:
                    yield r, q, [(k, -s[after] / sine), (after, s[k] / sine)]
                    break


def _gradients(step, x, shape):
    _, h, w = shape
    n, locality = step["orientations"], f32(step["locality"])
    edges = list(_directions(x, h, w, n))
    y = []
    for g in step["cells"]:
        sums = [0.0] * (n * g * g)

        def share(i, size):
            t = (i + 0.5) * (g / size) - 0.5
            a = math.floor(t)
            return [(cell, part) for cell, part in ((a, 1 - (t - a)), (a + 1, t - a)) if 0 <= cell < g]

        for r, q, parts in edges:
            for a, down in share(r, h):
                for b, across in share(q, w):
                    for k, part in parts:
                        sums[(k * g + a) * g + b] += (down * across) * part
        whole = sum(s * s for s in sums) / len(sums)
        for i, value in enumerate(sums):
            own = sum(s * s for s in sums[i % (g * g) :: g * g]) / n
            norm = math.sqrt(locality * own + (1 - locality) * whole)
            value = value / norm if norm > 0 else 0.0
            y.append(math.sqrt(value) if step["roots"] else value)
    if step["pixels"]:
        y += _area(x, (h, w), (step["pixels"], step["pixels"]))
    return y


STEPS = {
    "invert": _invert,
    "grayscale": _grayscale,
    "channels": _channels,
    "normalize": _normalize,
    "median": _median,
    "threshold": _threshold,
    "resize": _resize,
    "crop": _crop,
    "center": _deskew,
    "deskew": _deskew,
    "gradients": _gradients,
    "center_crop": _center_crop,
    "subtract": _subtract,
}
