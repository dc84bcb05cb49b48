"""What is measured: kompakt-run, PyTorch, ONNX Runtime. Each says the time of a run, its memory, and how long it takes to begin."""

import json
import os
import statistics
import subprocess
import sys
import time

from networks import network_of

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "kompakt-run" + (".exe" if os.name == "nt" else ""))
# Tiers, and when the GPU decodes them.
WAYS = (("direct", "load"), ("stream", "load"), ("stream", "run"))
RUNS = 20


def median_ms(run):
    """The median of a number of runs that fits half a second."""
    run(), run()
    times, start = [], time.perf_counter()
    while len(times) < 3 or (len(times) < RUNS and time.perf_counter() - start < 0.5):
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times)


class Kompakt:
    def __init__(self, tier, decode, device):
        self.tier, self.decode, self.device = tier, decode, device
        self.name = f"kompakt {tier}" + (", decoded at every run" if decode == "run" else "")
        self.loads = {}

    def call(self, network, *options):
        path = os.path.join(HERE, f"{network['name']}-{self.tier}.kompakt")
        done = subprocess.run([RUN, path, "--no-verify", "--json", "--device", self.device, "--decode", self.decode, *options], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout)

    def measure(self, network, batch):
        found = self.call(network, "--bench", "--rounds", str(RUNS), "--batch", str(batch))
        self.loads.setdefault(network["name"], []).append(found["open_ms"])
        return found["median_ms"]

    def load_ms(self, network):
        """Making the session: reading, decoding, upload."""
        return min(self.loads[network["name"]]) if network["name"] in self.loads else None

    def memory(self, network, batch):
        device = self.call(network, "--plan", "--batch", str(batch))["device"] or {}
        return {"weights": device.get("weight_bytes"), "all": device.get("total_bytes"), "allocated": device.get("allocated_bytes")}

    def start_ms(self, network):
        begun = time.perf_counter()
        self.call(network, "--bench", "--rounds", "1")
        return (time.perf_counter() - begun) * 1e3


class PyTorch:
    def __init__(self, torch, half, compiled):
        self.torch, self.half, self.compiled = torch, half, compiled
        # Without a GPU the processor shows that the script is right, and nothing else.
        self.is_cuda = torch.cuda.is_available()
        self.device = "cuda" if self.is_cuda else "cpu"
        # Compiling is not begun where it would not end in time.
        self.least_s = 60 if compiled else 0
        self.name = "PyTorch " + ("compiled" if compiled else "f16" if half else "f32")
        self.models, self.loads = {}, {}

    def load_ms(self, network):
        """Upload of weights that are in memory."""
        return self.loads.get(network["name"])

    def model(self, network):
        if network["name"] not in self.models:
            self.models.clear()
            cuda = self.torch.cuda
            cuda.empty_cache()
            before = cuda.memory_allocated()
            model = network_of(self.torch, network)
            begun = time.perf_counter()
            model = (model.half() if self.half else model).to(self.device)
            if self.is_cuda:
                cuda.synchronize()
            self.loads[network["name"]] = (time.perf_counter() - begun) * 1e3
            weights = sum(p.nbytes for p in model.parameters())
            if self.is_cuda:
                weights = cuda.memory_allocated() - before
            self.models[network["name"]] = (self.torch.compile(model) if self.compiled else model, weights)
        return self.models[network["name"]]

    def runner(self, network, batch):
        torch, (model, _) = self.torch, self.model(network)
        x = torch.randn(batch, *network["graph"]["inputs"][0]["shape"])

        def run():
            with torch.inference_mode():
                v = x.to(self.device)
                return model(v.half() if self.half else v).float().cpu()

        return run

    def measure(self, network, batch):
        return median_ms(self.runner(network, batch))

    def memory(self, network, batch):
        run = self.runner(network, batch)
        if not self.is_cuda:
            run()
            return {"weights": self.model(network)[1], "all": None, "allocated": None}
        self.torch.cuda.reset_peak_memory_stats()
        run()
        return {"weights": self.model(network)[1], "all": None, "allocated": self.torch.cuda.max_memory_allocated()}

    def start_ms(self, network):
        if self.compiled or self.half:
            return None
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, os.path.join(HERE, "measure.py"), "--once", network["name"]], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return (time.perf_counter() - begun) * 1e3


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, torch, runtime):
        self.torch, self.runtime, self.sessions = torch, runtime, {}

    def session(self, network):
        if network["name"] not in self.sessions:
            self.sessions.clear()
            path = os.path.join(HERE, network["name"] + ".onnx")
            model = network_of(self.torch, network)
            x = self.torch.randn(1, *network["graph"]["inputs"][0]["shape"])
            self.torch.onnx.export(model, (x,), path, input_names=["x"], dynamic_axes={"x": {0: "n"}}, dynamo=False)
            self.sessions[network["name"]] = self.runtime.InferenceSession(path, providers=["CUDAExecutionProvider"])
        return self.sessions[network["name"]]

    def measure(self, network, batch):
        x = self.torch.randn(batch, *network["graph"]["inputs"][0]["shape"]).numpy()
        session = self.session(network)
        return median_ms(lambda: session.run(None, {"x": x}))

    def load_ms(self, network):
        return None

    def memory(self, network, batch):
        return {"weights": None, "all": None, "allocated": None}

    def start_ms(self, network):
        return None


def engines(settings, missing):
    """The engines that there are; the others go to `missing` with the reason."""
    found = [Kompakt(tier, decode, settings["device"]) for tier, decode in WAYS]
    try:
        import torch
    except ImportError:
        missing["PyTorch"] = missing["ONNX Runtime"] = "PyTorch is not installed"
        return found, None
    found += [PyTorch(torch, False, False), PyTorch(torch, True, False)]
    if not torch.cuda.is_available():
        missing["PyTorch"] = f"PyTorch {torch.__version__} finds no CUDA device; what is said of it is from the processor"
        missing["ONNX Runtime"] = "as PyTorch"
        return [*found, PyTorch(torch, False, True)], torch
    try:
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ImportError("ONNX Runtime has no CUDA provider")
        found.append(OnnxRuntime(torch, onnxruntime))
    except ImportError as error:
        missing["ONNX Runtime"] = str(error)
    # The last of each turn: compiling takes longest.
    found.append(PyTorch(torch, False, True))
    return found, torch
