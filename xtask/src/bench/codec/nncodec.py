"""Codes integers with NNCodec, without loss, under several settings: the smallest counts.

nncodec_bench.py FILE SHAPES: little-endian i16, tensor after tensor; shapes as a JSON list.
"""

import contextlib
import io
import json
import sys
import time

import numpy as np
from nncodec.nn import decode, encode

# Parameter optimisation (of the contexts' windows) is on by default; quantisation does not affect integers.
SETTINGS = [
    {},
    {"row_skipping": False},
    {"param_opt": False},
    {"row_skipping": False, "param_opt": False},
]


def attempt(tensors, settings):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.process_time()
        coded = encode(dict(tensors), args={"verbose": False, "row_skipping": True, "param_opt": True, **settings})
        encode_s = time.process_time() - start
        start = time.process_time()
        read = decode(coded)
        decode_s = time.process_time() - start
    same = all(np.array_equal(np.asarray(read[name]), tensor) for name, tensor in tensors.items())
    name = ", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults"
    return {"same": same, "bytes": len(coded), "encode_s": encode_s, "decode_s": decode_s, "settings": name}


def main():
    numbers = np.fromfile(sys.argv[1], "<i2")
    tensors, at = {}, 0
    for i, shape in enumerate(json.loads(sys.argv[2])):
        n = int(np.prod(shape))
        tensors[f"layer{i}.weight"] = numbers[at : at + n].astype(np.int32).reshape(shape)
        at += n
    settings = SETTINGS if at < 1 << 22 else SETTINGS[:2]
    attempts = [result for result in (attempt(tensors, s) for s in settings) if result["same"]]
    best = min(attempts, key=lambda result: result["bytes"])
    # For small networks, the fastest of several runs.
    if at < 1 << 22:
        chosen = settings[[s["settings"] for s in attempts].index(best["settings"])]
        for _ in range(4):
            again = attempt(tensors, chosen)
            best["encode_s"] = min(best["encode_s"], again["encode_s"])
            best["decode_s"] = min(best["decode_s"], again["decode_s"])
    print(json.dumps(best))


main()
