"""`kompakt.open`: what is in a file, and what can be made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kompakt


def test_bytes_add_up_and_weights_come_out(packed: Path) -> None:
    file = kompakt.open(packed)
    assert file.n_bytes == packed.stat().st_size
    assert sum(layer["bytes"] for layer in file.layers) + sum(o["bytes"] for o in file.about["others"]) == file.n_bytes
    assert file.shapes == {"fc1.weight": (48, 64), "fc1.bias": (48,), "fc2.weight": (10, 48), "fc2.bias": (10,)}
    dense, mask, codes, book = (f("fc1") for f in (file.weights, file.mask, file.codes, file.codebook))
    assert dense.dtype == np.float32 and mask.dtype == bool and codes.dtype == np.uint8
    assert np.array_equal(dense, np.where(mask, book[codes], 0)) and (np.diff(book) > 0).all()
    assert file.provenance[-1]["program"] == "kompakt-compress" and file.tier == "smallest" and file.ratio > 1


def test_what_is_not_there_is_named(packed: Path) -> None:
    file = kompakt.open(packed)
    with pytest.raises(KeyError, match="fc1.weight"):
        file.weights("conv1")
    with pytest.raises(ValueError, match="not shared"):
        file.codes("fc1.bias")
    with pytest.raises(ValueError, match="tier"):
        file.repack("gold")
    with pytest.raises(ValueError, match="place"):
        file.repack("stream", packed)
    with pytest.raises(FileNotFoundError):
        kompakt.open(packed.parent / "nothing")


def test_tiers_hold_the_same(packed: Path, tmp_path: Path) -> None:
    file = kompakt.open(packed)
    for tier in ("smallest", "stream", "direct"):
        other = file.repack(tier)
        assert other.tier == tier and other.content_hash == file.content_hash
        assert kompakt.diff(file, other) == []
        assert np.array_equal(other.weights("fc2"), file.weights("fc2"))
        assert other.repack("smallest").to_bytes() == packed.read_bytes()
    stream = file.repack("stream", tmp_path / "s.kompakt")
    assert kompakt.diff(packed, tmp_path / "s.kompakt") == [] and stream.path == str(tmp_path / "s.kompakt")
    minimal = file.repack("smallest", minimal=True)
    assert minimal.n_bytes < file.n_bytes and minimal.provenance == []


def test_the_compact_form_is_the_smallest(packed: Path, tmp_path: Path) -> None:
    file = kompakt.open(packed)
    minimal, compact = file.repack("smallest", minimal=True), file.repack("smallest", tmp_path / "c.kompakt", compact=True)
    assert compact.n_bytes < minimal.n_bytes and compact.content_hash == file.content_hash
    x = np.ones(64, np.float32)
    assert np.array_equal(kompakt.load(tmp_path / "c.kompakt").run(x), kompakt.load(packed).run(x))
    with pytest.raises(ValueError, match="compact is a form of the tier 'smallest'"):
        file.repack("stream", compact=True)


def test_bytes_of_a_file_are_its_bytes(packed: Path) -> None:
    minimal = kompakt.open(packed).repack("smallest", minimal=True)
    assert kompakt.File.from_bytes(minimal.to_bytes()).to_bytes() == minimal.to_bytes()
    assert len(minimal.to_bytes()) == minimal.n_bytes and kompakt.open(packed).to_bytes() == packed.read_bytes()


def test_source_in_c_and_rust(packed: Path, tmp_path: Path) -> None:
    file = kompakt.open(packed)
    file.export(tmp_path / "digits.c")
    assert "digits_run" in (tmp_path / "digits.h").read_text() and "digits_run" in (tmp_path / "digits.c").read_text()
    file.export(tmp_path / "crate", to="rust", bytes=True)
    assert "crate" in (tmp_path / "crate/Cargo.toml").read_text() and "u8" in (tmp_path / "crate/src/lib.rs").read_text()
    for path, options in (
        ("1.c", {}),
        ("a.onnx", {"bytes": True}),
        ("a", {"to": "fortran"}),
        ("a.c", {"activations": "int8"}),  # no ranges
        ("a.onnx", {"activations": "int8"}),
        ("a.c", {"activations": "int4"}),
    ):
        with pytest.raises(ValueError):
            file.export(tmp_path / path, **options)
    assert {path.name for path in tmp_path.iterdir()} == {"digits.c", "digits.h", "crate"}


def test_ranges_for_integers(packed: Path, network, tmp_path: Path) -> None:
    file = kompakt.open(packed)
    with pytest.raises(ValueError, match="ranges"):
        kompakt.load(packed, activations="int8")
    for data in (None, network.x, [network.x[:100]]):
        made = file.calibrate(tmp_path / "a.kompakt", data=data)
        assert made.content_hash == file.content_hash and made.n_bytes > file.n_bytes
        found = kompakt.load(made.path, activations="int8").run(network.x)
        assert (found.argmax(1) == kompakt.load(packed).run(network.x).argmax(1)).mean() > 0.9
    made.export(tmp_path / "integers.c", activations="int8")
    assert "linear_int8" in (tmp_path / "integers.c").read_text()
    with pytest.raises(ValueError, match="the network takes"):
        file.calibrate(data=network.x[:, 1:])


def test_a_patch_makes_the_newer_edition(packed: Path, fixtures: Path, tmp_path: Path) -> None:
    newer = kompakt.open(packed)
    older = newer.repack("stream")
    patch = older.patch(newer)
    assert len(patch) < newer.n_bytes and older.patched(patch, tmp_path / "n.kompakt").n_bytes == newer.n_bytes
    assert (tmp_path / "n.kompakt").read_bytes() == packed.read_bytes()
    for wrong in (b"", patch[:-1], packed.read_bytes()):
        with pytest.raises(ValueError):
            older.patched(wrong)
    with pytest.raises(ValueError):
        kompakt.open(fixtures / "perceptron-stream.kompakt").patched(patch)
    with pytest.raises(ValueError, match="smallest"):
        newer.patch(older)


def test_files_differ(packed: Path, fixtures: Path) -> None:
    assert any("graph" in line for line in kompakt.diff(packed, fixtures / "perceptron-stream.kompakt"))


def test_plan_and_pictures(packed: Path, fixtures: Path) -> None:
    file = kompakt.open(packed)
    assert file.plan(max_batch=4)["max_batch"] == 4
    page = file._repr_html_()
    assert page.count("<svg") >= 4 and "fc1.weight" in page
    for path in sorted(fixtures.glob("*.kompakt")):
        assert "bytes" in kompakt.open(path)._repr_html_()


def test_layers_as_a_table(packed: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = kompakt.open(packed).to_pandas()
    assert isinstance(table, pandas.DataFrame) and table.loc["fc1.weight", "n"] == 48 * 64


def test_a_result_shows_itself(network) -> None:
    made = kompakt.compress(network.arrays, graph=network.graph, data=network.x, labels=network.y, progress=False)
    page = made._repr_html_()
    assert "accuracy" in page and page.count("<svg") >= 6
    assert made.open().n_bytes == made.n_bytes
    with pytest.raises(ValueError, match="save it first"):
        made.load()
