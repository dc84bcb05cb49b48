"""Classifies an all-grey picture:  python classify.py model.kompakt"""

import sys

import numpy as np

import kompakt

model = kompakt.Model(sys.argv[1])
image = np.full(model.input_shape, 0.5, dtype=np.float32)
label, probability = model.classify(image)[0]
print(model.input_shape, model.output_shape, label, f"{probability:.6f}")
