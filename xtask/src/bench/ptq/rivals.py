"""Shared by the networks of `cargo xtask bench ptq`: how they are run, and how each compressor is called."""

import contextlib
import csv
import datetime
import io
import itertools
import os
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


# What rows of kompakt begin with, and the options.
VARIANTS = (("kompakt", []), ("kompakt --trellis", ["--trellis"]))


def answers(model, images, at_once):
    """The logits of an ONNX model, `at_once` images per run."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [images[i : i + at_once] for i in range(0, len(images), at_once)]
    return np.concatenate([session.run(None, {name: part})[0] for part in parts])


def difference(found, true):
    """Squared difference of logits as a part of their energy."""
    return ((found - true) ** 2).sum() / ((true - true.mean(0)) ** 2).sum()


def bytes_at(rows, start, level):
    """Bytes at an error of `level` of the rows whose names begin with `start`: linear interpolation of the logarithms between two
    measured points, None outside of all. `rows` are names, bytes and errors.
    """
    points = sorted((error, size) for who, size, error in rows if who.startswith(start))
    for (e0, s0), (e1, s1) in zip(points, points[1:]):
        if e0 <= level <= e1:
            return np.exp(np.interp(np.log(level), np.log([e0, e1]), np.log([s0, s1])))
    return None


def size_and_part(size, whole):
    """Two cells: bytes, and the part of `whole` that they are; dashes where there are none."""
    return f" {size:.0f} | {size / whole:.2f} |" if size else " – | – |"


# NNCodec as it is, and with a step size for each tensor by its size and spread. Folding of batch norms has nothing to do in networks
# whose batch norms are folded, and local scaling does nothing without training on data.
STRENGTHS = (("", {}), (", opt_qp", {"opt_qp": True}))


def nncodec_rows(network, steps, base, tensors, figures):
    """One row for each strength and step size: `(name, bytes, error or None, same answers, difference)`, shares from 0 to 1.

    What nncodec.csv holds is not measured again; what is measured is added to it. `figures(model)` gives the last three.
    """
    with open("nncodec.csv", newline="") as file:
        known = {(row["network"], int(row["qp"])): row for row in csv.DictReader(file)}
    rows = []
    for (strength, more), step in itertools.product(STRENGTHS, steps):
        row = known.get((network + strength, step))
        if row is None:
            size, model = by_nncodec(base, tensors, step, more)
            error, same, off = figures(model)
            row = {"network": network + strength, "qp": step, "bytes": size, "error": "" if error is None else 100 * error}
            row |= {"same": 100 * same, "difference": off, "day": datetime.date.today().isoformat()}
            with open("nncodec.csv", "a", newline="") as file:
                csv.DictWriter(file, row, lineterminator="\n").writerow(row)
        error = None if row["error"] == "" else float(row["error"]) / 100
        figures_of = (int(row["bytes"]), error, float(row["same"]) / 100, float(row["difference"]))
        rows.append((f"nncodec{strength}, qp {step}", *figures_of))
    return rows


def by_nncodec(base, tensors, step, more):
    """Bytes of `tensors` at one step size, with further options, and the ONNX model `base` with what comes back."""
    from nncodec.nn import decode, encode

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        coded = encode(dict(tensors), args={"qp": step, "verbose": False, "row_skipping": True, "param_opt": True, **more})
        read = decode(coded)
    model = onnx.ModelProto()
    model.CopyFrom(base)
    for tensor in model.graph.initializer:
        if tensor.name in read:
            array = np.asarray(read[tensor.name], np.float32).reshape(tuple(tensor.dims))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return len(coded), model


def by_kompakt(kompakt, source, ratio, more=()):
    """Bytes of the file for one target, and the model that it holds as ONNX; None where the target is out of reach."""
    command = [kompakt, "compress", *source, "--target-ratio", str(ratio), "-q", "-o", "made.kompakt", *more]
    if subprocess.run(command).returncode != 0:
        return None
    subprocess.run([kompakt, "export", "made.kompakt", "-o", "again.onnx"], check=True)
    return os.path.getsize("made.kompakt"), onnx.load("again.onnx")
