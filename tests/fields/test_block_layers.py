"""The layers of the kernels equal plain matrix products, and their functions the exact ones."""

import numpy as np
import pytest
import torch
from numba import njit

from hoifield.fields.block_layers import (
    BLOCK,
    add_bias_gradient,
    add_weight_gradient,
    apply_layer,
    fast_exp,
    log_of_one_plus,
    padded_matrix,
    padded_vector,
    padded_width,
    softplus_with_slope,
    transpose_block,
)


@njit
def _each_exp(values, out):
    for i in range(values.size):
        out[i] = fast_exp(values[i])


@njit
def _each_log(values, out):
    for i in range(values.size):
        out[i] = log_of_one_plus(values[i])


@pytest.mark.parametrize(("outputs", "inputs"), [(32, 16), (3, 18), (5, 7)])
def test_a_layer_and_its_gradients_are_matrix_products_also_of_odd_widths(outputs, inputs):
    random = np.random.default_rng(0)
    weight, bias, values, incoming = (random.normal(size=size).astype(np.float32) for size in ((outputs, inputs), outputs, (inputs, BLOCK), (outputs, BLOCK)))
    rows, columns = padded_width(outputs), padded_width(inputs)
    block, gradient = np.zeros((columns, BLOCK), np.float32), np.zeros((rows, BLOCK), np.float32)
    block[:inputs], gradient[:outputs] = values, incoming
    out = np.empty(rows * BLOCK, np.float32)
    apply_layer(padded_matrix(weight), padded_vector(bias), block.reshape(-1), out, rows, columns)
    np.testing.assert_allclose(out.reshape(rows, BLOCK)[:outputs], weight @ values + bias[:, None], atol=1e-4)
    transposed, by_weight, by_bias = np.empty(columns * BLOCK, np.float32), np.zeros(rows * columns, np.float32), np.zeros(rows, np.float32)
    transpose_block(block.reshape(-1), transposed, columns)
    add_weight_gradient(gradient.reshape(-1), transposed, by_weight, rows, columns)
    add_bias_gradient(gradient.reshape(-1), by_bias, rows)
    np.testing.assert_allclose(by_weight.reshape(rows, columns)[:outputs, :inputs], incoming @ values.T, atol=1e-3)
    np.testing.assert_allclose(by_bias[:outputs], incoming.sum(1), atol=1e-4)


def test_exponential_and_logarithm_are_those_of_the_library_to_the_last_places():
    powers = np.linspace(-86.9, 88, 20001, dtype=np.float32)
    out = np.empty_like(powers)
    _each_exp(powers, out)
    np.testing.assert_allclose(out, np.exp(powers.astype(np.float64)), rtol=3e-7)
    _each_exp(np.array([-87.5, -1e30, -np.inf], np.float32), out)
    assert out[:3].tolist() == [0.0, 0.0, 0.0]
    shares = np.linspace(0, 1, 20001, dtype=np.float32)
    _each_log(shares, out)
    np.testing.assert_allclose(out, np.log1p(shares.astype(np.float64)), rtol=3e-7)


def test_softplus_and_slope_are_those_of_the_library():
    values = np.concatenate([np.linspace(-0.3, 0.3, 1001), [-1e4, 1e4]]).astype(np.float32)
    expected = torch.nn.functional.softplus(torch.tensor(values).double(), beta=100.0, threshold=700)
    found, slope = values.copy(), np.empty_like(values)
    softplus_with_slope(found, slope, values.size, np.float32(100))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(slope, torch.sigmoid(100 * torch.tensor(values).double()).numpy(), rtol=1e-5, atol=1e-30)
