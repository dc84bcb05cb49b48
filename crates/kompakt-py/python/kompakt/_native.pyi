"""The native half of kompakt; use the package."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from numpy import float32
from numpy.typing import ArrayLike, NDArray

__version__: str

def devices() -> list[str]:
    """Names of this machine's GPUs, best first; none where the module was built without them."""

class Model:
    """A ``.kompakt`` file, ready to run. Usable from many threads: runs come one after the other, each with the
    interpreter released. Pickled by its path."""

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        threads: int = 1,
        max_batch: int = 1,
        ram: int | None = None,
        activations: str = "f32",
        sizes: dict[str, int] | None = None,
        from_file: bool = False,
        in_memory: bool = False,
        verify: bool = True,
        device: str = "cpu",
        vram: int | None = None,
        half: bool = False,
        decode: str = "load",
        timeout: float | None = None,
        isa: str | None = None,
        require_signature: str | None = None,
    ) -> Model:
        """Open a file; see `kompakt.load`."""

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Names of the inputs and their shapes, batch left out, in order."""

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Names of the outputs and their shapes, batch left out, in order."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one raw input: what the file's preprocessing takes, or the network where it has none."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first output, batch left out."""

    @property
    def open_sizes(self) -> dict[str, range]:
        """The sizes that the file leaves open, by name: what each may be. Where there are any, and the
        file has no preprocessing, an array of any such shape runs; the shapes above are those at which the file was opened."""

    @property
    def labels(self) -> list[str]:
        """Names of the classes, or none."""

    @property
    def n_bytes(self) -> int:
        """Length of the file."""

    @property
    def path(self) -> Any:
        """Where the file is, a `pathlib.Path`."""

    def run(self, x: ArrayLike, out: NDArray[float32] | None = None) -> NDArray[float32]:
        """Run the network on raw inputs and return its first output.

        Shapes: `x` ``[batch, *input_shape]`` or ``input_shape``; the result ``[batch, *output_shape]`` or
        ``output_shape``. A float32 array in C order is read in place, any other is converted. `out` is written to and
        returned: float32, C order, of exactly the result's shape. Units: uint8 arrays are images, divided by 255.
        Errors: ``ValueError`` for another shape, ``TypeError`` for elements that are not real numbers.
        """

    def predict(self, x: ArrayLike, out: NDArray[float32] | None = None) -> NDArray[float32]:
        """As `run`, as probabilities: softmax over the classes, unless the network ends in one."""

    def run_all(
        self,
        x: ArrayLike | Mapping[str, ArrayLike],
        out: Mapping[str, NDArray[float32]] | None = None,
    ) -> dict[str, NDArray[float32]]:
        """Run the network and return all outputs by name.

        `x` is as for `run`, or a dictionary of all inputs, all with the same batch or none. `out` has arrays for some or
        all of the outputs.
        """

    def classify(self, x: ArrayLike, top: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes of one raw input as pairs of label and probability, likeliest first."""

def main(arguments: Sequence[str]) -> int: ...
def encode(items: Sequence[tuple[str, str, list[int], bytes]], tier: str) -> bytes: ...
def decode(data: bytes) -> list[tuple[str, str, list[int], bytearray]]: ...
def masks(layers: Sequence[tuple[list[int], Any]], densities: Sequence[float], is_overall: bool, rule: str) -> list[bytearray]: ...
def share(
    layer: tuple[list[int], Any], method: str, n_levels: int, codebook_format: str, seed: int
) -> tuple[bytearray, bytearray, bytearray | None]: ...
def check_output(output: str, inputs: Sequence[str]) -> None: ...
def write_whole(output: str, data: bytes) -> None: ...
def compress_network(
    network: Any, data: Any, wish: Any, tier: str, scan: str | None, tell: Callable[[str, float], object] | None
) -> dict[str, Any]: ...
def pack_network(
    network: Any, tier: str, minimal: bool, compact: bool, keep_order: bool, self_test: int
) -> tuple[bytes, list[str]]: ...

class TargetMissed(RuntimeError):
    """The size or the accuracy that was asked for cannot be reached."""

    compressed: Any
    """What came nearest, or ``None`` where nothing is left of the network's answers."""

class Container:
    @staticmethod
    def open(path: str) -> Container: ...
    @staticmethod
    def of_bytes(data: bytes) -> Container: ...
    def inspect(self) -> str: ...
    def plan(self, threads: int, max_batch: int, ram: int | None) -> str: ...
    def names(self) -> list[str]: ...
    def parameter(self, name: str) -> tuple[list[int], bytearray, bytearray | None, bytearray | None, bytearray | None]: ...
    def onnx(self) -> bytes: ...
    def source(self, name: str, bytes: bool, int8: bool, rust: bool) -> tuple[str, str]: ...
    def repack(self, tier: str, minimal: bool, compact: bool) -> bytes: ...
    def calibrate(self, data: Any, prep: str | None) -> bytes: ...
    def patch(self, newer: Container) -> bytes: ...
    def patched(self, patch: bytes) -> bytes: ...
    def to_bytes(self) -> bytes: ...
    def diff(self, other: Container) -> list[str]: ...
