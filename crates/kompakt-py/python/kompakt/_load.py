"""Opening a file to run it."""

from __future__ import annotations

import os

from kompakt._native import Model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

_HUB = "hf://"


def load(
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
    require_signature: str | PathLike[str] | None = None,
) -> Model:
    """Open a ``.kompakt`` file, ready to run.

    Parameters
    ----------
    path
        The file; or ``hf://OWNER/REPO/FILE.kompakt`` (``hf://OWNER/REPO@REVISION/FILE.kompakt``), which
        ``huggingface_hub`` fetches and keeps. The checksums and the content hash of the file are checked either way; of
        files that the hub knows by their SHA-256 (large ones), that too.
    threads
        Threads of a run. Results do not depend on it.
    max_batch
        Inputs per pass: more make better use of each weight, and take more memory. Longer batches are
        run in parts, so any number works.
    ram
        The most bytes of memory that weights and activations may take. Layers that do not fit are unpacked from the
        file at every run. ``None``: no limit.
    activations
        ``"int8"``: layers multiply integers of 8 bits where that is faster; answers are approximate, and the file must hold
        the ranges that this needs (``kompakt calibrate``, ``kompakt compress --activations int8``).
    sizes
        Sizes that the file leaves open, by name (`Model.open_sizes` has them with their ranges); those that are not given are
        as they are stored. Arrays of other lengths change them at a run, which then plans anew; on a GPU the weights stay
        where they are.
    from_file
        Run layers from the file, even where memory would allow more: the shortest start. Small layers stay in memory as long
        as that takes at most 512 KiB.
    in_memory
        Read the file instead of mapping it.
    verify
        Check every checksum and the content hash first.
    device
        ``"cpu"``, ``"gpu"``, ``"gpu:NAME"`` (a part of a name that `devices` returns), or ``"auto"``: a GPU where there is
        one that is not software, else the processor. Of the options above a GPU takes `max_batch`,
        `activations`, `sizes`, `in_memory` and `verify`.
    vram
        On a GPU: the most bytes of video memory. Layers that do not fit are brought from the file at every run.
    half
        On a GPU: keep values between layers in 16 bits.
    decode
        On a GPU: when layers of the tier ``stream`` are decoded: ``"load"``, once; ``"run"``, at every run, which takes the
        least memory; ``"host"``, once, by the processor.
    timeout
        On a GPU: the seconds that it may take to answer, for a run or for the upload of a layer; then the call ends with a
        ``RuntimeError``. ``None``: 60, on a GPU in software 600.
    isa
        The instruction set: ``"scalar"``, ``"portable"``, ``"avx2"``, ``"avx512"``, ``"neon"``. ``None``: the best there is.
    require_signature
        A public key: the path of a ``.pub`` file, its text, or its line that begins with ``RW``. The file is opened only if
        the signature beside it (``FILE.kompakt.minisig``, by ``kompakt sign`` or ``minisign``) is valid and by this key.
        Where others may write to the file, use `in_memory` too: the bytes that were checked are then those that run.

    Notes
    -----
    Errors: ``OSError`` for a file that cannot be read or fetched, ``ValueError`` for one that is invalid, that cannot be run, that
    is not signed as required, or that does not fit into `ram` (the message says what is the least), ``RuntimeError``
    for a device that is not there or too small (the message says what there is), ``ImportError`` for ``hf://`` without
    ``huggingface_hub``.
    """
    name = os.fspath(path)
    if isinstance(name, str) and name.startswith(_HUB):
        name = _fetched(name)
    try:
        return Model(
            name,
            threads=threads,
            max_batch=max_batch,
            ram=ram,
            activations=activations,
            sizes=sizes,
            from_file=from_file,
            in_memory=in_memory,
            verify=verify,
            device=device,
            vram=vram,
            half=half,
            decode=decode,
            timeout=timeout,
            isa=isa,
            require_signature=None if require_signature is None else _key(os.fspath(require_signature)),
        )
    except OSError:
        if os.path.isdir(name):
            raise IsADirectoryError(f"{name} is a folder, not a .kompakt file") from None
        raise


def _key(given: str) -> str:
    """The text of a public key, which may be in a file."""
    if "\n" in given or (given.startswith("RW") and len(given) == 56):
        return given
    with open(given, encoding="utf-8") as file:
        return file.read()


def _fetched(address: str) -> str:
    """The local path of a file on the hub."""
    parts = address[len(_HUB) :].split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"{address}: an address is hf://OWNER/REPO/FILE.kompakt")
    owner, repo, file = parts
    repo, _, revision = repo.partition("@")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise ImportError(f"{address} needs huggingface_hub: pip install 'kompakt[hub]'") from error
    path = str(hf_hub_download(repo_id=f"{owner}/{repo}", filename=file, revision=revision or None))
    _check_cached(address, path)
    return path


def _check_cached(address: str, path: str) -> None:
    """Check a file in the hub's cache, where large files have their SHA-256 as a name."""
    wanted = os.path.basename(os.path.realpath(path))
    if len(wanted) != 64 or set(wanted) - set("0123456789abcdef"):
        return
    import hashlib

    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise ValueError(f"{address}: {path} is damaged: its SHA-256 is {found}, the hub's is {wanted}; delete it and try again")
