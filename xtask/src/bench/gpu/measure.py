"""Measures packed networks on a GPU beside PyTorch and ONNX Runtime on the same one; run in the folder that `cargo xtask bench gpu`
makes. Leaves results.json and gpu.md. Whatever cannot be measured is listed with its reason.

Every engine gets its input from host memory and gives its output to host memory; engines take turns, and the least of the
rounds' medians counts. Weights of the others are random numbers of the same shapes: their time does not depend on them.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "kompakt-run" + (".exe" if os.name == "nt" else ""))
# Tiers, and when the GPU decodes them.
WAYS = (("direct", "load"), ("stream", "load"), ("stream", "run"))
# On software only networks up to this size are run: it shows that all of it works, and nothing else.
MOST_ON_SOFTWARE = 8_000_000
RUNS = 20


def pairs(node, name, default):
    value = node.get(name, default)
    return (value, value) if isinstance(value, int) else tuple(value)


def vision_transformer(torch):
    """DeiT-S as PyTorch's own layers: 12 of width 384 with 6 heads, over 197 tokens."""
    functional, width, tokens = torch.nn.functional, 384, 197

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(width, eps=1e-6) for _ in range(2)])
            self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.wide, self.narrow = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

        def forward(self, x):
            q, k, v = self.qkv(self.norms[0](x)).unflatten(-1, (3, 6, width // 6)).permute(2, 0, 3, 1, 4)
            x = x + self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
            return x + self.narrow(functional.gelu(self.wide(self.norms[1](x))))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = torch.nn.Conv2d(3, width, 16, 16)
            self.token = torch.nn.Parameter(torch.randn(1, 1, width))
            self.places = torch.nn.Parameter(torch.randn(1, tokens, width))
            self.blocks = torch.nn.Sequential(*[Block() for _ in range(12)])
            self.norm, self.head = torch.nn.LayerNorm(width, eps=1e-6), torch.nn.Linear(width, 1000)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
            return self.head(self.norm(self.blocks(x))[:, 0])

    return Network().eval().requires_grad_(False)


def network_of(torch, network):
    """The network as a PyTorch module with random weights."""
    return vision_transformer(torch) if network["name"] == "deit-s" else module_of(torch, network["graph"])


def module_of(torch, graph):
    """The graph as a PyTorch module with random weights: one functional call per node."""
    functional = torch.nn.functional

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.ParameterDict()
            shapes = {i["name"]: (1, *i["shape"]) for i in graph["inputs"]}
            self.calls = [self.call(node, shapes) for node in graph["nodes"]]

        def parameter(self, name, *shape):
            scale = 1.0 / max(1, shape[-1] if len(shape) == 2 else 8)
            name = name.replace(".", "_")
            self.weights[name] = torch.nn.Parameter(torch.randn(*shape) * scale, requires_grad=False)
            return name

        def call(self, node, shapes):
            kind, name, reads = node["op"], node["name"], node["inputs"]
            x = shapes[reads[0]]
            make = getattr(self, "make_" + kind, None)
            if make is None:
                raise ValueError(f"the script has no {kind}")
            function = make(node, name, x)
            with torch.no_grad():
                y = function(self.weights, *[torch.zeros(shapes[r]) for r in reads])
            shapes[name] = tuple(y.shape)
            return name, reads, function

        def make_linear(self, node, name, x):
            w = self.parameter(name + ".w", node["out_features"], x[1])
            b = self.parameter(name + ".b", node["out_features"]) if node.get("bias", True) else None
            return lambda p, v: functional.linear(v, p[w], p[b] if b else None)

        def make_conv2d(self, node, name, x):
            groups, n = node.get("groups", 1), node["out_channels"]
            w = self.parameter(name + ".w", n, x[1] // groups, *pairs(node, "kernel", 1))
            b = self.parameter(name + ".b", n) if node.get("bias", True) else None
            stride, dilation, pad = pairs(node, "stride", 1), pairs(node, "dilation", 1), padding(node)
            return lambda p, v: functional.conv2d(
                padded(v, pad), p[w], p[b] if b else None, stride, 0 if pad[0] != pad[2] or pad[1] != pad[3] else pad[:2], dilation, groups
            )

        def make_max_pool(self, node, name, x):
            kernel, pad = pairs(node, "kernel", 2), padding(node)
            stride, ceil = pairs(node, "stride", kernel), node.get("ceil_mode", False)
            return lambda p, v: functional.max_pool2d(v, kernel, stride, pad[:2], ceil_mode=ceil)

        def make_avg_pool(self, node, name, x):
            kernel, pad = pairs(node, "kernel", 2), padding(node)
            stride, ceil = pairs(node, "stride", kernel), node.get("ceil_mode", False)
            return lambda p, v: functional.avg_pool2d(v, kernel, stride, pad[:2], ceil_mode=ceil)

        def make_global_avg_pool(self, node, name, x):
            return lambda p, v: functional.adaptive_avg_pool2d(v, 1)

        def make_relu(self, node, name, x):
            return lambda p, v: functional.relu(v)

        def make_clip(self, node, name, x):
            return lambda p, v: torch.clamp(v, node["low"], node["high"])

        def make_add(self, node, name, x):
            return lambda p, v, w: v + w

        def make_flatten(self, node, name, x):
            return lambda p, v: torch.flatten(v, 1)

        def make_softmax(self, node, name, x):
            return lambda p, v: torch.softmax(v, 1)

        def make_dropout(self, node, name, x):
            return lambda p, v: v

        def make_identity(self, node, name, x):
            return lambda p, v: v

        def forward(self, x):
            values = {graph["inputs"][0]["name"]: x}
            for name, reads, function in self.calls:
                values[name] = function(self.weights, *[values[r] for r in reads])
            return values[graph["outputs"][0]]

    def padding(node):
        pad = node.get("padding", 0)
        if isinstance(pad, dict):
            return pad.get("top", 0), pad.get("left", 0), pad.get("bottom", 0), pad.get("right", 0)
        if isinstance(pad, int):
            return pad, pad, pad, pad
        return tuple(pad) if len(pad) == 4 else (pad[0], pad[1], pad[0], pad[1])

    def padded(v, pad):
        top, left, bottom, right = pad
        return v if top == bottom and left == right else functional.pad(v, (left, right, top, bottom))

    return Network().eval()


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
        done = subprocess.run([sys.executable, __file__, "--once", network["name"]], capture_output=True, text=True)
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


def adapter(settings):
    """The name of the device, and whether it is software."""
    plan = Kompakt(*WAYS[0], settings["device"]).call(settings["networks"][0], "--plan")
    name = (plan["device"] or {}).get("name", "the processor")
    return name, any(word in name.lower() for word in ("llvmpipe", "swiftshader", "processor"))


def measure(settings):
    start, missing, rows = time.monotonic(), {}, {}
    all_engines, torch = engines(settings, missing)
    name, is_software = adapter(settings)
    head = {
        "device": name,
        "software": is_software,
        "machine": platform.platform(),
        "pytorch": torch.__version__ if torch else None,
        "rounds": settings["rounds"],
    }

    def attempt(network, batch, engine, what, function):
        if time.monotonic() > deadline - getattr(engine, "least_s", 0):
            missing.setdefault(f"{network['title']}, {engine.name}, {what}", "out of time")
            return None
        try:
            return function()
        except Exception as error:  # noqa: BLE001: whatever it is, the rest is measured
            missing[f"{network['title']}, {engine.name}, {what}"] = str(error).splitlines()[0] if str(error) else repr(error)
            return None

    for number, network in enumerate(settings["networks"], 1):
        # Each network has its share of the time, and what those before it have left.
        deadline = start + settings["limit_s"] * number / len(settings["networks"])
        is_large = is_software and network["dense_bytes"] > MOST_ON_SOFTWARE
        for batch in settings["batches"][: 1 if is_large else None]:
            for engine in all_engines:
                if is_large and not isinstance(engine, Kompakt):
                    continue
                row = rows.setdefault((network["name"], batch, engine.name), {"times_ms": []})
                row["memory"] = attempt(network, batch, engine, "memory", lambda: engine.memory(network, batch))
        if is_large:
            missing[f"{network['title']}, all times"] = f"{name} is software, and the network large"
            continue
        for _ in range(settings["rounds"]):
            for batch in settings["batches"]:
                for engine in all_engines:
                    row = rows[(network["name"], batch, engine.name)]
                    found = attempt(network, batch, engine, f"batch {batch}", lambda: engine.measure(network, batch))
                    if found is not None:
                        row["times_ms"].append(found)
        for engine in all_engines:
            row = rows[(network["name"], settings["batches"][0], engine.name)]
            row["start_ms"] = attempt(network, 1, engine, "start", lambda: engine.start_ms(network))
            row["load_ms"] = engine.load_ms(network)
    results = [{"network": n, "batch": b, "engine": e, **row} for (n, b, e), row in rows.items()]
    return {**head, "missing": missing, "results": results}


def page(found, settings):
    def number(value, unit=1.0, digits=2):
        return "not measured" if value is None else f"{value / unit:.{digits}f}"

    lines = ["# On a GPU", "", "Made by `cargo xtask bench gpu`, which measures packed networks beside PyTorch (eager f32 and f16, compiled) and ONNX Runtime"]
    lines += ["on the same GPU.", ""]
    if found["software"]:
        lines += [
            f"**Times are not measured**: the last run was on {found['device']}, which is software. Its times say nothing and are left",
            "out; bytes are the same on any GPU. That the answers are right is tested on software (`cargo xtask ci tests`): every operator,",
            "in every tier, to 1e-4 of the largest.",
        ]
    else:
        lines += [f"Measured on {found['device']} ({found['machine']}; PyTorch {found['pytorch']}), engines in turns, {found['rounds']} rounds."]
    titles = {network["name"]: network for network in settings["networks"]}
    lines += [
        "",
        "## Video memory",
        "",
        "Weights are what the plan says for our files (codes, maps, codebooks, biases, parameters of shaders; where layers are decoded at",
        "every run, the tables and one decoded block too), and what the allocator says for PyTorch. Share is of the dense network in f32,",
        "4 bytes a parameter, which is what PyTorch holds. All is weights, values between layers, and staging: by the plan, and by the",
        "allocator (its peak for PyTorch).",
        "",
        "| network | batch | engine | weights MB | dense f32 MB | share | all MB | allocated MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["results"]:
        network, memory = titles[row["network"]], row.get("memory") or {}
        weights = memory.get("weights")
        share = "not measured" if weights is None else f"{100 * weights / network['dense_bytes']:.1f} %"
        cells = [
            network["title"], str(row["batch"]), row["engine"], number(weights, 1e6), number(network["dense_bytes"], 1e6), share,
            number(memory.get("all"), 1e6), number(memory.get("allocated"), 1e6),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if not found["software"]:
        lines += [
            "",
            "## Time",
            "",
            "Times are from host memory to host memory, the least of the rounds' medians. Load is reading, decoding and upload (for PyTorch,",
            "the upload alone); start is a new process until its first result.",
            "",
            "| network | batch | engine | ms | load ms | start ms |",
            "|---|---|---|---|---|---|",
        ]
        for row in found["results"]:
            times = min(row["times_ms"]) if row["times_ms"] else None
            cells = [titles[row["network"]]["title"], str(row["batch"]), row["engine"], number(times, digits=3)]
            cells += [number(row.get("load_ms"), digits=1), number(row.get("start_ms"), digits=0)]
            lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "On a machine with a GPU: `cargo xtask bench gpu`; or `cargo xtask bench gpu --prepare` here, and there, in the folder",
        "`target/bench/gpu` carried over, `python3 measure.py`. It ends within six minutes, and leaves `results.json` and this page.",
        "Without one, `cargo xtask bench gpu --dry-run` finds the bytes, on a GPU in software.",
    ]
    if found["missing"]:
        lines += ["", "Not measured:", ""] + [f"- {what}: {why}" for what, why in found["missing"].items()]
    return "\n".join(lines) + "\n"


def main():
    with open(os.path.join(HERE, "networks.json"), encoding="utf-8") as file:
        settings = json.load(file)
    if sys.argv[1:2] == ["--once"]:
        import torch

        network = next(n for n in settings["networks"] if n["name"] == sys.argv[2])
        PyTorch(torch, False, False).runner(network, 1)()
        return
    found = measure(settings)
    with open(os.path.join(HERE, "results.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
    with open(os.path.join(HERE, "gpu.md"), "w", encoding="utf-8") as file:
        file.write(page(found, settings))


main()
