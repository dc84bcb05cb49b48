"""A PyTorch state dict as safetensors: `python3 tools/state_dict.py model.pth -o model.safetensors`.

Needs nothing but Python: the file is read without PyTorch and without running code in it. The result is used with a graph
that names its nodes as the state dict does (`{"name": "features.0", "op": "conv2d", …}` for
`features.0.weight`), as spec/interchange.md describes it:

    python3 tools/state_dict.py model.pth -o model.safetensors
    kompakt compress model.safetensors --graph model.json -o model.kompakt

`--list` prints names and shapes, to write the graph by. Whoever has PyTorch at hand may as well call
`torch.onnx.export` and `kompakt import`.
"""

import argparse
import collections
import json
import pickle
import struct
import sys
import zipfile

# PyTorch's name of a storage: type in safetensors, bytes per element.
STORAGES = {
    "FloatStorage": ("F32", 4),
    "DoubleStorage": ("F64", 8),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}


class Tensor:
    """A part of a storage: its number in the archive, first element, shape, strides."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.kind, self.width, self.key = storage
        self.offset, self.shape, self.strides = offset, tuple(shape), tuple(strides)

    def bytes(self, read):
        """The elements, row-major."""
        data, n = read(self.key), self.width
        if any(d == 0 for d in self.shape):
            return b""
        step, packed = 1, True
        for size, stride in zip(reversed(self.shape), reversed(self.strides)):
            packed &= size == 1 or stride == step
            step *= size
        if packed:
            return data[self.offset * n : (self.offset + step) * n]
        places = [self.offset]
        for size, stride in zip(self.shape, self.strides):
            places = [at + i * stride for at in places for i in range(size)]
        return b"".join(data[at * n : (at + 1) * n] for at in places)


class Reader(pickle.Unpickler):
    """Knows the few names that a state dict needs, and refuses all others."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it holds a {module}.{name}; save model.state_dict(), not the model")

    def persistent_load(self, reference):
        _, (kind, width), key, *_ = reference
        return kind, width, key


def load(path):
    """Names and tensors of a state dict, and a function that reads storages."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        root = next(n for n in names if n.endswith("data.pkl"))[: -len("data.pkl")]
        tensors = Reader(archive.open(root + "data.pkl")).load()
        for wrapper in ("state_dict", "model_state_dict", "model"):
            if isinstance(tensors.get(wrapper), dict):
                tensors = tensors[wrapper]
        storages = {n[len(root + "data/") :]: archive.read(n) for n in names if n.startswith(root + "data/")}
    found = {name: t for name, t in tensors.items() if isinstance(t, Tensor)}
    if not found:
        raise ValueError("it holds no tensors by name; save model.state_dict()")
    return found, storages.__getitem__


def main():
    parser = argparse.ArgumentParser(description="A PyTorch state dict as safetensors.")
    parser.add_argument("file", help="what torch.save(model.state_dict(), …) wrote")
    parser.add_argument("-o", "--output", help="where the safetensors file goes")
    parser.add_argument("--list", action="store_true", help="print names, types and shapes")
    arguments = parser.parse_args()
    try:
        tensors, read = load(arguments.file)
    except (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        sys.exit(f"{arguments.file}: no state dict that can be read: {error}")
    if arguments.list or not arguments.output:
        for name, t in tensors.items():
            print(f"{name}  {t.kind} {list(t.shape)}")
    if arguments.output:
        header, body, at = {}, [], 0
        for name, t in sorted(tensors.items()):
            data = t.bytes(read)
            header[name] = {"dtype": t.kind, "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
            at += len(data)
            body.append(data)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(arguments.output, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text + b"".join(body))


main()
