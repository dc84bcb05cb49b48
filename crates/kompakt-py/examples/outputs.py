"""Prints every output for an all-grey input:  python outputs.py model.kompakt"""

import sys

import numpy as np

import kompakt

model = kompakt.Model(sys.argv[1])
inputs = {name: np.full(shape, 0.5, dtype=np.float32) for name, shape in model.inputs.items()}
for name, values in model.run_all(inputs).items():
    assert values.shape == model.outputs[name]
    print(f"{name} {values.shape}:", *(f"{v:.6f}" for v in values.ravel()))
