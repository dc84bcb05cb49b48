"""The other engines of `cargo xtask bench peers`, one process per engine.

    rivals.py make FOLDER                       model.json and weights.f32, or model.onnx, to ONNX (f32, int8) and OpenVINO IR
    rivals.py litert FOLDER                     model.json and model.onnx to .tflite (f32, dynamic int8)
    rivals.py serve ENGINE FOLDER BATCH THREADS answers lines on stdin: `run SECONDS`, `output PATH`, `memory`
    rivals.py once ENGINE FOLDER                loads, runs once, and says how long each took

Engines: onnxruntime, onnxruntime-int8, openvino, openvino-int8, litert, litert-int8, tract, deepsparse.
"""

import json
import os
import sys
import time
from pathlib import Path

START = time.perf_counter()
os.environ["NM_DISABLE_ANALYTICS"] = "True"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np  # noqa: E402


def say(**values):
    print(json.dumps(values), flush=True)


def peak_bytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def inputs(folder, batch):
    """`[batch, ...]` of f32, images repeated."""
    x = np.load(folder / "x.npy")
    return np.ascontiguousarray(np.concatenate([x] * -(-batch // len(x)))[:batch])


# --- making ---------------------------------------------------------------------------------------------------------


def make(folder):
    if (folder / "model.json").exists():
        make_onnx(folder)
    quantize(folder)
    import openvino as ov

    for name in ("model", "model.int8"):
        if (folder / f"{name}.onnx").exists():
            ov.save_model(ov.convert_model(folder / f"{name}.onnx"), folder / f"{name}.xml", compress_to_fp16=False)


def make_onnx(folder):
    import onnx
    from onnx import TensorProto, helper

    model = json.loads((folder / "model.json").read_text())
    raw = np.memmap(folder / "weights.f32", dtype="<f4", mode="r")
    tensors, at = [], 0
    for p in model["parameters"]:
        n = int(np.prod(p["shape"]))
        tensors.append(helper.make_tensor(p["name"], TensorProto.FLOAT, p["shape"], raw[at : at + n].tobytes(), raw=True))
        at += n
    nodes = [
        helper.make_node(n["op"], n["inputs"], [n["output"]], name=n["name"], **n["attributes"]) for n in model["nodes"]
    ]
    port = lambda p: helper.make_tensor_value_info(p["name"], TensorProto.FLOAT, ["batch"] + p["shape"])
    graph = helper.make_graph(nodes, "net", [port(model["input"])], [port(model["output"])], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    onnx.save(made, folder / "model.onnx")
    (folder / "weights.f32").unlink()


def quantize(folder):
    """Static int8, per channel: what both int8 engines run."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    name = onnx.load(folder / "model.onnx", load_external_data=False).graph.input[0].name

    class Reader(CalibrationDataReader):
        def __init__(self):
            x = np.load(folder / "x.npy")
            self.rows = iter([x[i : i + 1] for i in range(min(len(x), 8))])

        def get_next(self):
            row = next(self.rows, None)
            return None if row is None else {name: row}

    quantize_static(
        folder / "model.onnx",
        folder / "model.int8.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add", "MaxPool", "GlobalAveragePool"],
    )


def make_litert(folder):
    import litert
    import onnx
    from onnx import numpy_helper

    weights = {t.name: numpy_helper.to_array(t) for t in onnx.load(folder / "model.onnx").graph.initializer}
    litert.write(folder, weights, folder / "model.tflite", dynamic=False)
    litert.write(folder, weights, folder / "model.int8.tflite", dynamic=True)


# --- engines: `load(folder, threads, x)` gives a call that runs and one that gives the last output ------------------


def load_onnxruntime(folder, threads, x, file="model.onnx"):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    out = session.get_outputs()[0]
    y = np.empty([len(x)] + list(out.shape[1:]), np.float32)
    # Bound once, so that a run copies nothing.
    binding.bind_input(session.get_inputs()[0].name, "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output(out.name, "cpu", 0, np.float32, y.shape, y.ctypes.data)
    run, native = session._sess.run_with_iobinding, binding._iobinding
    return lambda: run(native, None), lambda: y


def load_openvino(folder, threads, x, file="model.xml"):
    import openvino as ov

    core = ov.Core()
    model = core.read_model(folder / file)
    model.reshape(list(x.shape))
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(model, "CPU", config).create_infer_request()
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    run = lambda: (request.start_async(), request.wait())
    return run, lambda: request.get_output_tensor().data


def load_litert(folder, threads, x, file="model.tflite"):
    from ai_edge_litert.interpreter import Interpreter

    # XNNPACK is on by default. Its layout is NHWC: the input is transposed once, as the others' are made once.
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x
    model = Interpreter(str(folder / file), num_threads=threads)
    port = model.get_input_details()[0]["index"]
    model.resize_tensor_input(port, list(x.shape))
    model.allocate_tensors()
    model.set_tensor(port, x)
    out = model.get_output_details()[0]["index"]
    return model.invoke, lambda: model.get_tensor(out)


def load_tract(folder, threads, x):
    import tract

    if threads > 1:
        raise RuntimeError("its Python package runs on one thread")
    model = tract.onnx().load(folder / "model.onnx")
    model.set_input_fact(0, ",".join(str(d) for d in x.shape) + ",f32")
    model.analyse()
    state = model.into_model().into_runnable().spawn_state()
    tensors = [tract.Tensor.from_numpy(x)]
    last = []

    def run():
        last[:] = state.run(tensors)

    return run, lambda: last[0].to_numpy()


def load_deepsparse(folder, threads, x):
    from deepsparse.engine import Engine

    engine = Engine(model=str(folder / "model.onnx"), batch_size=len(x), num_cores=threads)
    last = []

    def run():
        last[:] = engine.run([x], val_inp=False)

    return run, lambda: last[0]


ENGINES = {
    "onnxruntime": load_onnxruntime,
    "onnxruntime-int8": lambda f, t, x: load_onnxruntime(f, t, x, "model.int8.onnx"),
    "openvino": load_openvino,
    "openvino-int8": lambda f, t, x: load_openvino(f, t, x, "model.int8.xml"),
    "litert": load_litert,
    "litert-int8": lambda f, t, x: load_litert(f, t, x, "model.int8.tflite"),
    "tract": load_tract,
    "deepsparse": load_deepsparse,
}
MODULES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "litert": "ai_edge_litert.interpreter",
    "tract": "tract",
    "deepsparse": "deepsparse.engine",
}


def measure(run, seconds, threads):
    """The median of runs that take about so long together; one run first, unmeasured.

    With one thread the time that the processor spent, which other work on the machine does not lengthen.
    """
    run()
    times, clock = [], time.process_time if threads == 1 else time.perf_counter
    start = clock()
    run()
    once = max(clock() - start, 1e-7)
    per = max(1, int(100e-6 / once))
    end = time.perf_counter() + seconds
    while True:
        start = clock()
        for _ in range(per):
            run()
        times.append((clock() - start) / per)
        if time.perf_counter() >= end:
            return float(np.median(times)) * 1e3


def serve(engine, folder, batch, threads):
    x = inputs(folder, batch)
    run, output = ENGINES[engine](folder, threads, x)
    run()
    say(ready=True)
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        if verb == "run":
            say(ms=measure(run, float(rest), threads))
        elif verb == "output":
            np.save(rest, np.asarray(output(), np.float32))
            say(done=True)
        else:
            say(peak_bytes=peak_bytes())


def once(engine, folder):
    import importlib

    x = inputs(folder, 1)
    importlib.import_module(MODULES[engine.removesuffix("-int8")])
    imported, before = time.perf_counter(), peak_bytes()
    run, _ = ENGINES[engine](folder, 1, x)
    ready = time.perf_counter()
    run()
    first = time.perf_counter()
    say(
        import_ms=(imported - START) * 1e3,
        ready_ms=(ready - imported) * 1e3,
        first_ms=(first - imported) * 1e3,
        import_bytes=before,
        peak_bytes=peak_bytes(),
    )


def main():
    verb, *rest = sys.argv[1:]
    if verb == "make":
        make(Path(rest[0]))
    elif verb == "litert":
        make_litert(Path(rest[0]))
    elif verb == "serve":
        serve(rest[0], Path(rest[1]), int(rest[2]), int(rest[3]))
    elif verb == "once":
        once(rest[0], Path(rest[1]))
    else:
        sys.exit(f"no verb {verb}")


if __name__ == "__main__":
    main()
