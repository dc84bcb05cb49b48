"""`kompakt.encode` and `kompakt.decode`: whatever goes in comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

import kompakt

TIERS = st.sampled_from(["smallest", "stream", "direct"])
ELEMENTS = st.one_of(
    some.boolean_dtypes(),
    some.integer_dtypes(endianness="?"),
    some.unsigned_integer_dtypes(endianness="?"),
    some.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    some.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
SHAPES = some.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6)


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape and found.dtype == wanted.dtype.newbyteorder("<")
    assert found.tobytes() == wanted.astype(wanted.dtype.newbyteorder("<")).tobytes()


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=8), some.arrays(ELEMENTS, SHAPES), max_size=3), TIERS)
def test_any_arrays_come_back(arrays: dict[str, np.ndarray], tier: str) -> None:
    found = kompakt.decode(kompakt.encode(arrays, tier=tier))
    assert list(found) == list(arrays)
    for name, wanted in arrays.items():
        same(found[name], wanted)


@settings(max_examples=50, deadline=None)
@given(some.arrays(np.int16, (4, 6), elements=st.integers(-3, 3)), st.integers(1, 3), st.booleans())
def test_views_come_back(array: np.ndarray, step: int, is_turned: bool) -> None:
    view = array[::-1, ::step]
    view = view.T if is_turned else view
    view.flags.writeable = False
    same(kompakt.decode(kompakt.encode({"a": view}))["a"], view)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_do_harm(noise: bytes, at: int) -> None:
    good = kompakt.encode({"a": np.arange(30).reshape(5, 6) % 4})
    for bad in (noise, good[:at], good[:at] + noise + good[at + len(noise) :]):
        try:
            kompakt.decode(bad)
        except ValueError:
            pass


def test_what_comes_back_can_be_written_to() -> None:
    found = kompakt.decode(kompakt.encode({"a": np.zeros(3, np.uint8)}))["a"]
    found[0] = 7
    assert found.tolist() == [7, 0, 0]


def test_other_elements_are_refused(packed) -> None:
    for bad in (np.array(["a"]), np.array([object()]), np.zeros(1, "M8[s]"), np.zeros(1, np.longdouble)):
        with pytest.raises(TypeError, match="elements of type"):
            kompakt.encode({"a": bad})
    with pytest.raises(ValueError, match="tier"):
        kompakt.encode({}, tier="gold")
    with pytest.raises(TypeError, match="dictionary"):
        kompakt.encode(3)
    with pytest.raises(TypeError, match="bytes-like"):
        kompakt.decode(3)
    with pytest.raises(ValueError, match="holds a network"):
        kompakt.decode(packed.read_bytes())


def test_few_values_take_few_bytes() -> None:
    random = np.random.default_rng(0)
    codes = (random.random((300, 784)) < 0.08) * random.integers(1, 16, (300, 784))
    n_bytes = len(kompakt.encode({"w": codes}))
    # Entropy of mask and codes by frequency.
    p = 0.08
    bits = codes.size * (-(p * np.log2(p) + (1 - p) * np.log2(1 - p)) + p * np.log2(15))
    assert n_bytes < 1.02 * bits / 8 + 300
