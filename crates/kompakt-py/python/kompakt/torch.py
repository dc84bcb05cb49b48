"""Masks and shared weights while a PyTorch module trains, by ``torch.nn.utils.parametrize``.

>>> pruner = kompakt.torch.prune(model, density=0.08)   # 8 % of all weights are kept   # doctest: +SKIP
>>> train(model)                                        # any loop; what is pruned stays zero   # doctest: +SKIP
>>> kompakt.torch.share(model, bits=5)                  # 32 centroids a layer   # doctest: +SKIP
>>> optimizer = torch.optim.Adam(model.parameters(), 1e-4)   # the centroids are parameters   # doctest: +SKIP
>>> train(model)                                        # centroids move by the summed gradient   # doctest: +SKIP
>>> kompakt.torch.pack(model, example, "model.kompakt")   # doctest: +SKIP

Masks, codes and centroids are those of ``kompakt prune`` and ``kompakt cluster`` on the same weights: the same functions
find them. Needs torch 2.2 or newer.

Source: Han, Mao, Dally 2015, "Deep Compression".
"""

from __future__ import annotations

import copy
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from kompakt import _native, _sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Literal

    from kompakt._file import File

__all__ = ["Mask", "Pruner", "Shared", "bits", "export", "layers", "pack", "prune", "share"]


class Mask(nn.Module):
    """A weight with pruned elements, which stay zero. Parametrisation of a weight."""

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight with zeros where the mask is false; so are its gradients."""
        return torch.where(self.mask, weight, torch.zeros((), dtype=weight.dtype, device=weight.device))


class Shared(nn.Module):
    """A weight whose elements are indices into a codebook. Parametrisation of a weight; its original is the codebook ``[k]``.

    The gradient of a centroid is the sum of the gradients of all weights that share it.
    """

    codes: torch.Tensor
    mask: torch.Tensor

    def __init__(self, codebook: torch.Tensor, codes: torch.Tensor, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self.register_buffer("mask", mask)
        self._codebook = codebook

    def forward(self, codebook: torch.Tensor) -> torch.Tensor:
        """The dense weight."""
        return torch.where(self.mask, codebook[self.codes.long()], torch.zeros((), dtype=codebook.dtype, device=codebook.device))

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """The codebook that this was made with."""
        return self._codebook.to(weight.device, weight.dtype)


def layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules whose weights can be pruned and shared, ungrouped or grouped convolutions and linear layers, by name."""
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            yield name, module


class Pruner:
    """Masks of a module's layers; see `prune`."""

    def __init__(
        self, model: nn.Module, density: float | dict[str, float], rule: str, steps: int, block: tuple[int, int]
    ) -> None:
        self._layers = dict(layers(model))
        self._density, self._rule, self._steps, self._done, self._block = density, rule, steps, 0, block
        if min(block) < 1:
            raise ValueError(f"a block of {block[0]} x {block[1]}: each side is at least 1")
        if not self._layers:
            raise ValueError("the module has no linear layer and no 2-D convolution")
        if isinstance(density, dict):
            unknown = set(density) - set(self._layers)
            if unknown:
                raise ValueError(f"no layer {', '.join(sorted(unknown))}; there are {', '.join(self._layers)}")
        for module in self._layers.values():
            if _is_shared(module):
                raise ValueError("weights that are shared cannot be pruned any more: prune first")
            if not _of(module, Mask):
                weight: Any = module.weight
                parametrize.register_parametrization(module, "weight", Mask(torch.ones_like(weight, dtype=torch.bool)))
        if steps == 0:
            self._tighten(1.0)

    @property
    def density(self) -> float:
        """The share of all weights that is kept now."""
        masks = [_mask(module) for module in self._layers.values()]
        return sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)

    def step(self) -> float:
        """Advance one of `steps` steps towards the density, and return the density reached.

        After ``t`` of ``n`` steps a share of ``d + (1 - d) (1 - t / n)^3`` is kept: many weights go early, few late.
        What is pruned does not come back. Source: Zhu, Gupta 2017, "To prune, or not to prune".
        """
        if self._done < self._steps:
            self._done += 1
            self._tighten(self._done / self._steps)
        return self.density

    def _tighten(self, part: float) -> None:
        def now(density: float) -> float:
            return density + (1 - density) * (1 - part) ** 3

        weights = [_numbers(module) for module in self._layers.values()]
        if isinstance(self._density, dict):
            densities, is_overall = [now(self._density.get(name, 1.0)) for name in self._layers], False
        else:
            densities, is_overall = [now(self._density)], True
        blocks = [_norms(weight, self._block) for weight in weights]
        shapes = [[len(block), block[0].size] if block.ndim == 3 else list(block.shape) for block in blocks]
        rows = [(shape, block.reshape(-1)) for shape, block in zip(shapes, blocks, strict=True)]
        masks = _native.masks(rows, densities, is_overall, self._rule)
        with torch.no_grad():
            for module, weight, block, raw in zip(self._layers.values(), weights, blocks, masks, strict=True):
                found = np.frombuffer(raw, dtype=bool).reshape(block.shape)
                if self._block != (1, 1):
                    found = found.repeat(self._block[0], 0).repeat(self._block[1], 1)[: weight.shape[0], : weight.shape[1]]
                _mask(module).copy_(torch.from_numpy(found.reshape(weight.shape).copy()))


def prune(
    model: nn.Module,
    density: float | Mapping[str, float],
    *,
    rule: Literal["lamp", "global", "uniform", "erk"] = "lamp",
    steps: int = 0,
    block: tuple[int, int] = (1, 1),
) -> Pruner:
    """Keep the largest weights of a module, and hold the others at zero while it trains.

    Parameters
    ----------
    model
        Changed in place: each linear layer and 2-D convolution gets a `Mask`.
    density
        The share of all weights together that is kept (0 excluded to 1), or one for each layer by name; layers that are not
        named keep all.
    rule
        Which layers keep more where one density is given, as for ``kompakt prune --rule``.
    steps
        0: prune now. Otherwise over this many calls of `Pruner.step`.
    block
        Keep or drop so many outputs by so many inputs at one place of the kernel together, by the root of their mean square, as
        ``kompakt prune --block``: ``(1, 4)`` for one output by four inputs, which products of 8 bits skip. ``(n_outputs, 1)``
        drops an input at a place of the kernel, ``(1, n_inputs)`` an output. 1 by 1: single weights.

    Notes
    -----
    Errors: ``ValueError`` for an invalid density, block or rule, a missing layer, weights that are shared.
    """
    given = {str(name): float(share) for name, share in density.items()} if hasattr(density, "items") else float(density)
    return Pruner(model, given, rule, steps, (int(block[0]), int(block[1])))


def bits(model: nn.Module, *, levels: int = 32) -> torch.Tensor:
    """The price of a module's weights in bits, to be added to the loss: ``loss + price * kompakt.torch.bits(model)``.

    Weights are counted as a coder without context would write them after rounding to `levels` steps between the largest weight of
    the layer and its negative: each costs ``-log2`` of how frequent its step is. Between two steps the price is
    interpolated, so that its gradient moves weights towards steps that are frequent, zero before all.

    Parameters
    ----------
    model
        Linear layers and 2-D convolutions count; shared weights by their codes, whose price has no gradient.
    levels
        Steps of each layer, at least 2.

    Notes
    -----
    Returns a scalar. Frequencies are those of the weights as they are, and have no gradient themselves; the file takes fewer bits,
    because its coder sees a weight's neighbours.
    """
    if levels < 2:
        raise ValueError(f"{levels} levels: at least 2 are needed")
    total: Any = 0
    for _, module in layers(model):
        weight: Any = module.weight
        half = max(1, levels // 2)
        if _is_shared(module):
            shared = _of(module, Shared)
            values = torch.where(shared.mask, shared.codes.long() + 1, 0).flatten()
            counts = torch.bincount(values).to(weight.dtype)
            total = total - (counts * torch.log2((counts / counts.sum()).clamp_min(1e-30))).sum()
            continue
        step = weight.detach().abs().max().clamp_min(1e-30) / half
        place = (weight / step).flatten() + half
        nearest = place.detach().round().long()
        counts = torch.bincount(nearest, minlength=2 * half + 1).to(weight.dtype) + 1
        cost = -torch.log2(counts / counts.sum())
        low = place.detach().floor().clamp(0, 2 * half - 1).long()
        part = place - low
        total = total + ((1 - part) * cost[low] + part * cost[low + 1]).sum()
    return torch.as_tensor(total)


def share(
    model: nn.Module,
    bits: int | Mapping[str, int],
    *,
    method: Literal["exact", "linear", "density", "forgy"] = "exact",
    codebook: str = "f32",
    seed: int = 0,
) -> None:
    """Replace the weights of each layer by indices into a codebook of at most ``2 ** bits`` values.

    The codebooks are the parameters that train afterwards: give the optimizer ``model.parameters()`` anew. Zeros stay
    zero, and take no entry.

    Parameters
    ----------
    model
        Changed in place: each linear layer and 2-D convolution gets a `Shared`, instead of its `Mask`.
    bits
        1 to 8, for all layers or by name; layers that are not named stay as they are.
    method
        ``"exact"`` for the optimum of the objective of k-means, else where k-means starts; as for ``kompakt cluster``.
    codebook
        How the values are rounded: ``"f32"``, ``"f16"``, ``"int8"`` and so on.
    seed
        For ``"forgy"``.

    Notes
    -----
    Errors: ``ValueError`` for invalid bits, an unknown method or format, weights that are shared or not finite.
    """
    found = dict(layers(model))
    wanted = {str(name): int(n) for name, n in bits.items()} if hasattr(bits, "items") else dict.fromkeys(found, int(bits))
    for name in wanted:
        if name not in found:
            raise ValueError(f"no layer {name}; there are {', '.join(found)}")
        if not 1 <= wanted[name] <= 8:
            raise ValueError(f"{name}: {wanted[name]} bits; 1 to 8 are possible")
        if _is_shared(found[name]):
            raise ValueError(f"{name}: its weights are shared already")
    for index, (name, module) in enumerate(found.items()):
        if name not in wanted:
            continue
        weight = _numbers(module)
        row = (list(weight.shape), weight.reshape(-1))
        book, codes, mask = _native.share(row, method, 2 ** wanted[name], codebook, seed + (index << 32))
        _make_plain(module)
        kept = np.ones(weight.shape, bool) if mask is None else np.frombuffer(mask, bool).reshape(weight.shape)
        dense: Any = module.weight
        shared = Shared(
            torch.from_numpy(np.frombuffer(book, "<f4").copy()).to(dense.device, dense.dtype),
            torch.from_numpy(np.frombuffer(codes, "u1").reshape(weight.shape).copy()).to(dense.device),
            torch.from_numpy(kept.copy()).to(dense.device),
        )
        parametrize.register_parametrization(module, "weight", shared)


def pack(
    model: nn.Module,
    example: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    tier: Literal["smallest", "stream", "direct"] = "smallest",
    minimal: bool = False,
    compact: bool = False,
    self_test: int = 0,
    keep_order: bool = False,
    classes: list[str] | None = None,
    check: bool = True,
) -> File:
    """Write a module as a ``.kompakt`` file without loss: shared weights as codes, pruned ones as a mask.

    Parameters
    ----------
    model
        Not changed.
    example
        An input, or a tuple of all inputs, batch first: what torch's exporter traces the module with.
    out
        The path of the file, written completely or not at all. ``None``: it stays in memory.
    tier, minimal, compact
        As for `kompakt.File.repack`.
    self_test
        Store so many inputs with the outputs that they should give.
    keep_order
        Leave hidden units in the order they have.
    check
        Check that the file answers as the exported module does.

    Notes
    -----
    Errors: ``ValueError`` for a module with operators that kompakt does not have, and for shared weights that a batch norm
    behind them would change (``torch.nn.utils.fusion.fuse_conv_bn_eval`` before `share` avoids that).
    """
    import tempfile

    target = None if out is None else os.path.abspath(os.fspath(out))
    if target is not None:
        _native.check_output(target, [])
    with tempfile.TemporaryDirectory(prefix="kompakt-") as folder:
        path = os.path.join(folder, "model.onnx")
        export(model, example, path)
        network = SimpleNamespace(
            path=path, graph=None, shapes=[], max_sizes=[], fixed=False, values=[], check=check, classes=list(classes or [])
        )
        try:
            packed, dense = _native.pack_network(network, tier, minimal, compact, keep_order, self_test)
        except Exception as error:
            _sources.name_what_was_given(error, folder)
            raise
    from kompakt._file import File

    file = File.from_bytes(packed)
    n_shared = sum(_is_shared(module) for _, module in layers(model))
    n_weights = sum(1 for tensor in file.layers if len(tensor["shape"]) > 1)
    if n_weights - len(dense) < n_shared:
        raise ValueError(
            f"shared weights have become too many different ones ({', '.join(dense)}): a batch norm or a scale behind them is "
            "folded into them. Fold it before sharing: torch.nn.utils.fusion.fuse_conv_bn_eval"
        )
    if target is None:
        return file
    _native.write_whole(target, packed)
    return File(target)


def export(model: nn.Module, example: Any, path: str | os.PathLike[str]) -> None:
    """Write a module as ONNX by torch's exporter, as it answers in evaluation; masks and codebooks become plain weights."""
    plain = copy.deepcopy(model).eval()
    for module in list(plain.modules()):
        _make_plain(module)
    inputs = example if isinstance(example, tuple) else (example,)
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        new: dict[str, Any] = {}
    else:
        new = {"dynamo": True, "verbose": False}
    with torch.no_grad():
        torch.onnx.export(plain, inputs, os.fspath(path), **new)


def _of(module: nn.Module, kind: type[nn.Module]) -> Any:
    """The parametrisation of that kind that a module's weight has."""
    if not parametrize.is_parametrized(module, "weight"):
        return None
    return next((p for p in module.parametrizations["weight"] if isinstance(p, kind)), None)


def _make_plain(module: nn.Module) -> None:
    """Make parametrised tensors parameters again, with the numbers that they have now.

    `remove_parametrizations` would change the class, which copies of the module share.
    """
    if not parametrize.is_parametrized(module):
        return
    now = {name: getattr(module, name).detach().clone() for name in module.parametrizations}
    plain = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = plain
    for name, value in now.items():
        module.register_parameter(name, nn.Parameter(value))


def _is_shared(module: nn.Module) -> bool:
    return _of(module, Shared) is not None


def _mask(module: nn.Module) -> torch.Tensor:
    mask: torch.Tensor = _of(module, Mask).mask
    return mask


def _norms(weight: Any, block: tuple[int, int]) -> Any:
    """The root mean square of each block of a weight, `[out, in, kernel]`; the weight itself where blocks are single weights."""
    if block == (1, 1):
        return weight
    outputs, inputs = weight.shape[:2]
    whole = weight.reshape(outputs, inputs, -1).astype(np.float64)
    rows, columns = -(-outputs // block[0]), -(-inputs // block[1])
    square, there = (np.zeros((rows * block[0], columns * block[1], whole.shape[2])) for _ in range(2))
    square[:outputs, :inputs] = whole**2
    there[:outputs, :inputs] = 1
    sums = (part.reshape(rows, block[0], columns, block[1], -1).sum((1, 3)) for part in (square, there))
    return np.sqrt(next(sums) / next(sums)).astype(np.float32)


def _numbers(module: nn.Module) -> Any:
    """The weights as they are used now: float32, `[out, in]` or `[out, in, kh, kw]`."""
    weight: Any = module.weight
    return np.ascontiguousarray(weight.detach().cpu().to(torch.float32).numpy())
