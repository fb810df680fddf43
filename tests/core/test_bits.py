"""Sign bits tell the Hamming distance, whatever the number of dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.bits import distances, signs, unpack


@st.composite
def vectors(draw: st.DrawFn) -> np.ndarray:
    """Up to 12 vectors of up to 300 dimensions, zeros among their components, the last of them the query."""
    count, dimensions, seed = draw(st.integers(1, 12)), draw(st.integers(1, 300)), draw(st.integers(0, 1 << 30))
    return np.random.default_rng(seed).integers(-1, 2, (count, dimensions)).astype(np.float32)


@given(vectors())
def test_distances_count_the_components_of_unlike_sign(vectors: np.ndarray) -> None:
    stored, query = vectors[:-1], vectors[-1]
    naive = ((stored > 0) != (query > 0)).sum(axis=1)
    assert distances(signs(stored), query).tolist() == naive.tolist()


@given(vectors())
def test_signs_are_stored_and_read_back(vectors: np.ndarray) -> None:
    packed = signs(vectors)
    assert packed.shape == (-(-vectors.shape[1] // 64), len(vectors))
    np.testing.assert_array_equal(unpack(packed.tobytes(), len(vectors)), packed)


@given(vectors())
def test_halves_have_the_signs_of_floats(vectors: np.ndarray) -> None:
    np.testing.assert_array_equal(signs(vectors.astype(np.float16)), signs(vectors))


@pytest.mark.parametrize("stored", [unpack(b"", 0), signs(np.zeros((0, 70), np.float32))])
def test_no_vectors_have_no_distances(stored: np.ndarray) -> None:
    assert distances(stored, np.ones(70, np.float32)).tolist() == []
