"""Compresses a network without data and says what came out:  python compress.py model.onnx model.kompakt"""

import sys

import kompakt

source, target = sys.argv[1:3]
made = kompakt.compress(source, target, progress=lambda what, share: None)
print(f"{made.n_bytes} bytes, {made.ratio:.1f} times smaller")
for layer in made.open().layers:
    print(f"{layer['name']:20} {layer['bytes']:8} bytes")
