"""What several tests need: files of the repository, and a small network that has learnt something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kompakt

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The golden files."""
    return ROOT / "fixtures" / "good"


@dataclass
class Network:
    """A perceptron with its images."""

    arrays: dict[str, np.ndarray]
    graph: dict[str, Any]
    x: np.ndarray
    y: np.ndarray

    def answers(self, x: np.ndarray) -> np.ndarray:
        """In NumPy, dense."""
        hidden = np.maximum(x @ self.arrays["fc1.weight"].T + self.arrays["fc1.bias"], 0)
        return hidden @ self.arrays["fc2.weight"].T + self.arrays["fc2.bias"]


def _graph(n_inputs: int, n_hidden: int, n_classes: int) -> dict[str, Any]:
    return {
        "inputs": [{"name": "x", "shape": [n_inputs]}],
        "nodes": [
            {"name": "fc1", "op": "linear", "inputs": ["x"], "out_features": n_hidden},
            {"name": "relu1", "op": "relu", "inputs": ["fc1"]},
            {"name": "fc2", "op": "linear", "inputs": ["relu1"], "out_features": n_classes},
        ],
        "outputs": ["fc2"],
    }


def made(n_inputs: int, n_hidden: int, n_classes: int, n_images: int, seed: int = 0) -> Network:
    """Random features and the readout that fits clouds of points best."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n_classes, n_inputs))
    y = random.integers(0, n_classes, n_images)
    x = (centres[y] + 0.8 * random.normal(size=(n_images, n_inputs))).astype(np.float32)
    first = (random.normal(size=(n_hidden, n_inputs)) / np.sqrt(n_inputs)).astype(np.float32)
    hidden = np.maximum(x @ first.T, 0)
    wanted = np.eye(n_classes)[y]
    second = np.linalg.solve(hidden.T @ hidden + 10 * np.eye(n_hidden), hidden.T @ wanted).T.astype(np.float32)
    arrays = {
        "fc1.weight": first,
        "fc1.bias": np.zeros(n_hidden, np.float32),
        "fc2.weight": second,
        "fc2.bias": np.zeros(n_classes, np.float32),
    }
    return Network(arrays, _graph(n_inputs, n_hidden, n_classes), x, y)


@pytest.fixture(scope="session")
def network() -> Network:
    """64 inputs, 48 hidden units, 10 classes; 1,500 images."""
    return made(64, 48, 10, 1500)


@pytest.fixture(scope="session")
def large() -> Network:
    """A network that takes seconds to compress."""
    return made(512, 3000, 10, 400)


@pytest.fixture(scope="session")
def packed(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network's file."""
    path = tmp_path_factory.mktemp("packed") / "small.kompakt"
    kompakt.compress(network.arrays, path, graph=network.graph, progress=False)
    return path
