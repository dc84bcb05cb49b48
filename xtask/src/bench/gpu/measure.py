"""Measures packed networks on a GPU beside PyTorch and ONNX Runtime on the same one; run in the folder that `cargo xtask bench gpu`
makes. Leaves results.json and gpu.md. Whatever cannot be measured is listed with its reason.

Every engine gets its input from host memory and gives its output to host memory; engines take turns, and the least of the
rounds' medians counts.
"""

import json
import os
import platform
import sys
import time

from engines import HERE, WAYS, Kompakt, PyTorch, engines
from page import page

# On software only networks up to this size are run: it shows that all of it works, and nothing else.
MOST_ON_SOFTWARE = 8_000_000


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
