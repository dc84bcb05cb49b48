"""`kompakt.Model`: what goes in, what comes out, and from where it may be called."""

from __future__ import annotations

import pickle
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest

import kompakt


@pytest.fixture
def model(packed: Path) -> kompakt.Model:
    return kompakt.load(packed, max_batch=8)


def test_the_network_answers_as_numpy_does(model: kompakt.Model, network) -> None:
    file = kompakt.open(model.path)
    dense = {name: file.weights(name) for name in file.shapes}
    hidden = np.maximum(network.x @ dense["fc1.weight"].T + dense["fc1.bias"], 0)
    wanted = hidden @ dense["fc2.weight"].T + dense["fc2.bias"]
    found = model.run(network.x)
    assert found.dtype == np.float32 and found.shape == (1500, 10)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * abs(wanted).max())
    assert np.array_equal(model.run(network.x[3]), model.run(network.x[3:4])[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float64),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.tolist(),
        lambda x: memoryview(x),
    ],
    ids=["big-endian", "double", "fortran", "strided", "negative-stride", "list", "memoryview"],
)
def test_any_array_of_these_numbers_gives_the_same(model: kompakt.Model, network, change) -> None:
    x = network.x[:5]
    assert np.array_equal(model.run(change(x)), model.run(x))


def test_read_only_arrays_are_read(model: kompakt.Model, network) -> None:
    x = network.x[:2].copy()
    x.flags.writeable = False
    assert model.run(x).shape == (2, 10)


def test_unaligned_arrays_are_read(model: kompakt.Model, network) -> None:
    raw = np.zeros(64 * 4 + 1, np.uint8)
    x = raw[1:].view(np.float32)
    x[:] = network.x[0]
    assert np.array_equal(model.run(x), model.run(network.x[0]))


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros(63, np.float32), ValueError),
        (np.zeros((2, 3, 64), np.float32), ValueError),
        (np.zeros(64, complex), TypeError),
        (np.array(["a"] * 64), TypeError),
        (np.array([object()] * 64), TypeError),
        (np.zeros(64, "datetime64[s]"), TypeError),
        (None, TypeError),
        ({"y": np.zeros(64)}, ValueError),
        ({}, ValueError),
    ],
)
def test_what_does_not_fit_is_one_clear_error(model: kompakt.Model, x, error) -> None:
    with pytest.raises(error):
        model.run_all(x)


def test_an_empty_batch_gives_an_empty_answer(model: kompakt.Model) -> None:
    assert model.run(np.zeros((0, 64), np.float32)).shape == (0, 10)


def test_results_go_where_the_caller_wants_them(model: kompakt.Model, network) -> None:
    out = np.full((3, 10), np.nan, np.float32)
    assert model.run(network.x[:3], out=out) is out
    assert np.array_equal(out, model.run(network.x[:3]))
    found = model.run_all({"x": network.x[:3]}, out={"fc2": out})
    assert found["fc2"] is out
    part = np.zeros((6, 10), np.float32)[::2]
    read_only = np.zeros((3, 10), np.float32)
    read_only.flags.writeable = False
    for bad in (out[:2], out.astype(float), part, read_only, np.zeros((3, 10), ">f4"), [0.0]):
        with pytest.raises(ValueError, match="out must be"):
            model.run(network.x[:3], out=bad)
    with pytest.raises(ValueError, match="outputs are fc2"):
        model.run_all(network.x[:3], out={"nothing": out})


def test_bytes_are_pictures(model: kompakt.Model) -> None:
    picture = np.arange(64, dtype=np.uint8)
    np.testing.assert_array_equal(model.run(picture), model.run(picture.astype(np.float32) / np.float32(255)))


def test_probabilities_and_classes(model: kompakt.Model, network) -> None:
    probabilities = model.predict(network.x[:4])
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    label, probability = model.classify(network.x[0], top=1)[0]
    assert int(label) == probabilities[0].argmax() and probability == probabilities[0].max()
    with pytest.raises(ValueError, match="predict takes many"):
        model.classify(network.x[:2])


def test_several_inputs_and_outputs_by_name(fixtures: Path) -> None:
    model = kompakt.load(fixtures / "convolutions-stream.kompakt")
    inputs = {name: np.full((2, *shape), 0.5, np.float32) for name, shape in model.inputs.items()}
    outputs = model.run_all(inputs)
    assert list(outputs) == list(model.outputs)
    assert all(outputs[name].shape == (2, *shape) for name, shape in model.outputs.items())


def test_threads_share_a_model(model: kompakt.Model, network) -> None:
    wanted = model.run(network.x[:32])
    wrong: list[int] = []

    def work(seed: int) -> None:
        for i in range(50):
            at = (seed * 7 + i) % 32
            if not np.array_equal(model.run(network.x[at]), wanted[at]) and not np.allclose(
                model.run(network.x[at]), wanted[at], atol=1e-5
            ):
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_model_is_pickled_by_its_path(packed: Path, network) -> None:
    model = kompakt.load(packed, threads=2, max_batch=4)
    again = pickle.loads(pickle.dumps(model))
    assert again.path == model.path and np.array_equal(again.run(network.x[:4]), model.run(network.x[:4]))


def test_layers_run_from_the_file_and_on_any_instruction_set(packed: Path, network) -> None:
    wanted = kompakt.load(packed).run(network.x)
    for options in ({"from_file": True}, {"isa": "scalar"}, {"isa": "portable"}):
        model = pickle.loads(pickle.dumps(kompakt.load(packed, **options)))
        np.testing.assert_allclose(model.run(network.x), wanted, rtol=0, atol=1e-5 * abs(wanted).max())
    with pytest.raises(ValueError, match="this machine has"):
        kompakt.load(packed, isa="z80")


def test_a_budget_too_small_says_what_is_the_least(packed: Path) -> None:
    with pytest.raises(ValueError, match="least possible"):
        kompakt.load(packed, ram=10)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kompakt.load(tmp_path / "nothing.kompakt")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        kompakt.load(tmp_path)
    bad = tmp_path / "bad.kompakt"
    bad.write_bytes(b"not a file of kompakt")
    with pytest.raises(ValueError, match="not a sound"):
        kompakt.load(bad)


def test_a_signature_may_be_required(fixtures: Path, tmp_path: Path) -> None:
    signed = fixtures.parent / "signed"
    key = (signed / "maker.pub").read_text()
    for given in (signed / "maker.pub", key, key.split("\n")[1]):
        model = kompakt.load(signed / "convolutions.kompakt", require_signature=given)
        assert pickle.loads(pickle.dumps(model)).n_bytes == model.n_bytes
        kompakt.load(signed / "convolutions.kompakt", require_signature=given, in_memory=True)
    with pytest.raises(ValueError, match="no signature"):
        kompakt.load(fixtures / "convolutions-smallest.kompakt", require_signature=key)
    other = tmp_path / "a.kompakt"
    other.write_bytes((fixtures / "convolutions-stream.kompakt").read_bytes())
    (tmp_path / "a.kompakt.minisig").write_bytes((signed / "convolutions.kompakt.minisig").read_bytes())
    with pytest.raises(ValueError, match="not of these bytes"):
        kompakt.load(other, require_signature=key)
    with pytest.raises(ValueError, match="not a public key"):
        kompakt.load(other, require_signature="RW" + 54 * "A")


def test_the_hub_is_asked_where_it_is_installed(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, str | None]] = []

    def download(repo_id: str, filename: str, revision: str | None) -> str:
        asked.append((repo_id, filename, revision))
        return str(packed)

    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    kompakt.load("hf://owner/repo/folder/small.kompakt")
    kompakt.load("hf://owner/repo@v2/small.kompakt")
    assert asked == [("owner/repo", "folder/small.kompakt", None), ("owner/repo", "small.kompakt", "v2")]
    with pytest.raises(ValueError, match="OWNER"):
        kompakt.load("hf://owner/repo")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="huggingface_hub"):
        kompakt.load("hf://owner/repo/small.kompakt")


def test_open_sizes_follow_from_the_array(fixtures: Path) -> None:
    path = fixtures / "open-sizes-stream.kompakt"
    model = kompakt.load(path)
    (name, sizes), = model.open_sizes.items()
    (stored,) = model.input_shape
    assert stored in sizes
    outputs = []
    for size in (sizes[0], stored, sizes[-1], sizes[0]):
        x = (np.arange(3 * size) % 10).astype(np.float32).reshape(3, size)
        found = model.run_all(x)
        fixed = kompakt.load(path, sizes={name: size})
        assert fixed.input_shape == (size,)
        wanted = fixed.run_all(x)
        assert {n: a.shape for n, a in found.items()} == {n: (3, *s) for n, s in fixed.outputs.items()}
        assert all(np.array_equal(found[n], wanted[n]) for n in wanted)
        assert np.array_equal(model.run(x[0]), fixed.run(x[0]))
        outputs.append(found)
    assert all(np.array_equal(outputs[0][n], outputs[3][n]) for n in outputs[0])
    assert pickle.loads(pickle.dumps(fixed)).input_shape == (sizes[0],)
    with pytest.raises(ValueError, match=name):
        model.run(np.zeros(sizes[-1] + 1, np.float32))
    with pytest.raises(ValueError, match="shape"):
        model.run(np.zeros((2, 2, 2), np.float32))
    with pytest.raises(ValueError, match="nothing"):
        kompakt.load(path, sizes={"nothing": 3})
    assert np.array_equal(model.run(x[0]), fixed.run(x[0]))


def test_threads_run_one_model_at_their_own_sizes(fixtures: Path) -> None:
    path = fixtures / "open-sizes-direct.kompakt"
    model = kompakt.load(path)
    (name, sizes), = model.open_sizes.items()
    wanted, wrong = {}, []
    for size in sizes:
        x = (np.arange(size) % 10).astype(np.float32)
        wanted[size] = x, kompakt.load(path, sizes={name: size}).run(x)

    def work(size: int) -> None:
        x, y = wanted[size]
        for _ in range(30):
            if not np.array_equal(model.run(x), y):
                wrong.append(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in wanted]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong
