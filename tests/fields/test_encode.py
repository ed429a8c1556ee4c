"""The fast encodings equal the readable one: values, Jacobian, and both gradients through both.

Triton's kernels run on a GPU where there is one, else in Triton's interpreter.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from hoifield.errors import ConfigurationError, InternalError
from hoifield.fields.encode import choose_engine, encode, encode_features
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.geometry.plain_reference import plain_reference

SMALL = HashGridLayout(levels=3, features=2, table_size=2**9, base_resolution=4, finest_resolution=16)
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed (make test installs it)")
TRITON = pytest.param("triton", marks=needs_triton)
FAST, ALL = ["numba", TRITON], ["torch", "numba", TRITON]
LAYOUTS = [HashGridLayout(), HashGridLayout(levels=5, features=3, table_size=2**10, base_resolution=5, finest_resolution=60), SMALL]

DIGEST_PROGRAM = """
import hashlib, torch
from hoifield.fields.encode_numba import encode_numba
from hoifield.fields.hash_grid_layout import HashGridLayout
torch.set_num_threads(1)
layout, generator = HashGridLayout(levels=4, table_size=2**12, finest_resolution=48), torch.Generator().manual_seed(0)
points = torch.rand(1111, 3, generator=generator).requires_grad_()
table = torch.randn(layout.entries, 2, generator=generator).requires_grad_()
features, jacobian = encode_numba(points, table, layout, True)
weights = torch.randn(jacobian.shape, generator=generator)
((features * weights[0]).sum() + (jacobian * weights).sum()).backward()
print(*(hashlib.sha256(found.detach().contiguous().numpy().tobytes()).hexdigest() for found in (features, jacobian, table.grad, points.grad)))
from hoifield.fields.distance_field import DistanceField
field = DistanceField(torch.full((3,), 0.5), 0.45, layout)
sample = field.query(points)
(sample.signed_distance.sum() + sample.gradient.square().sum() + sample.feature.sum()).backward()
print(*(hashlib.sha256(found.detach().contiguous().numpy().tobytes()).hexdigest() for found in (sample.gradient, *(p.grad for p in field.parameters()))))
"""

COMPILE_PROGRAM = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from hoifield.fields import encode_triton
numbers = {"levels": 8, "width": 2, "with_jacobian": True, "block": encode_triton.BLOCK}
types = {**dict.fromkeys(numbers, "constexpr"), "count": "i32", "scales": "*fp32", **dict.fromkeys(["sides", "denses", "masks", "offsets"], "*i32")}
for kernel in (encode_triton.encode_kernel, encode_triton.table_gradient_kernel, encode_triton.point_gradient_kernel):
    signature = {name: types.get(name, "*fp32") for name in kernel.arg_names}
    values = {(kernel.arg_names.index(name),): value for name, value in numbers.items()}
    compiled = triton.compile(ASTSource(fn=kernel, signature=signature, constexprs=values), target=GPUTarget("cuda", 90, 32))
    print(kernel.__name__, len(compiled.asm["cubin"]))
"""


def _points_off_faces(count: int, layout: HashGridLayout) -> torch.Tensor:
    """Random points that 32-bit rounding cannot push into a neighbouring cell."""
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(1))
    keep = torch.ones(count, dtype=torch.bool)
    for shape in layout.level_shapes:
        fraction = (points.double() * shape.scale + 0.5) % 1
        keep &= ((fraction > 2e-3) & (fraction < 1 - 2e-3)).all(dim=-1)
    return points[keep]


def _random_table(layout: HashGridLayout) -> torch.Tensor:
    return torch.randn(layout.entries, layout.features, generator=torch.Generator().manual_seed(2))


def _served(tensor, backend):
    """The tensor where the back end takes it."""
    return tensor.cuda() if backend == "triton" and torch.cuda.is_available() else tensor


def _evaluate(points, table, layout, backend, dtype=torch.float32):
    points = _served(points.to(dtype), backend).detach().requires_grad_()
    table = _served(table.to(dtype), backend).detach().requires_grad_()
    encoding = encode(points, table, layout, backend)
    generator = torch.Generator().manual_seed(3)
    for_features = torch.randn(encoding.features.shape, generator=generator).to(encoding.features)
    for_jacobian = torch.randn(encoding.jacobian.shape, generator=generator).to(encoding.features)
    ((encoding.features * for_features).sum() + (encoding.jacobian * for_jacobian).sum()).backward()
    return tuple(found.detach().cpu() for found in (encoding.features, encoding.jacobian, table.grad, points.grad))


def _relative_error(value, reference):
    return float((value.double() - reference).norm() / reference.norm())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("backend", FAST)
def test_a_kernel_equals_the_64_bit_reference_in_values_jacobian_and_both_gradients(layout, backend):
    points, table = _points_off_faces(3000, layout), _random_table(layout)
    assert len(points) > 1000
    reference = _evaluate(points, table, layout, "torch", torch.float64)
    for value, expected in zip(_evaluate(points, table, layout, backend), reference):
        assert _relative_error(value, expected) < 1e-4


@pytest.mark.parametrize("backend", FAST)
def test_the_comparison_sees_one_level_with_a_wrong_scale(backend):
    points, table = _points_off_faces(3000, SMALL), _random_table(SMALL)
    wrong = HashGridLayout(levels=3, features=2, table_size=2**9, base_resolution=4, finest_resolution=17)
    assert wrong.entries == SMALL.entries
    reference = _evaluate(points, table, SMALL, "torch", torch.float64)
    assert _relative_error(_evaluate(points, table, wrong, backend)[0], reference[0]) > 1e-2


def test_the_reference_jacobian_is_the_derivative_of_its_features():
    points = _points_off_faces(40, SMALL).double()
    table = _random_table(SMALL).double()
    jacobian = encode(points, table, SMALL, "torch").jacobian
    step = 1e-6
    for axis in range(3):
        shift = torch.zeros(3, dtype=torch.float64)
        shift[axis] = step
        above, below = encode_features(points + shift, table, SMALL, "torch"), encode_features(points - shift, table, SMALL, "torch")
        torch.testing.assert_close((above - below) / (2 * step), jacobian[..., axis], atol=1e-6, rtol=1e-6)


def test_reference_gradients_pass_gradcheck_through_the_jacobian():
    points = _points_off_faces(6, SMALL).double().requires_grad_()
    table = _random_table(SMALL).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p, t: encode(p, t, SMALL, "torch").jacobian, (points, table))


@pytest.mark.parametrize("backend", ALL)
def test_features_alone_equal_features_with_the_jacobian(backend):
    points, table = _served(_points_off_faces(700, SMALL), backend), _served(_random_table(SMALL), backend).requires_grad_()
    alone = encode_features(points, table, SMALL, backend)
    both = encode(points, table, SMALL, backend).features
    assert torch.equal(alone, both)
    (gradient_alone,) = torch.autograd.grad(alone.square().sum(), table)
    (gradient_both,) = torch.autograd.grad(both.square().sum(), table)
    torch.testing.assert_close(gradient_alone, gradient_both)


def test_numba_repeats_bit_for_bit_and_does_not_depend_on_the_threads():
    points, table = _points_off_faces(5000, LAYOUTS[0]), _random_table(LAYOUTS[0])
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 1, 2):
            torch.set_num_threads(count)
            results.append(_evaluate(points, table, LAYOUTS[0], "numba"))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("backend", ALL)
def test_a_position_that_is_not_finite_is_refused(bad, backend):
    points = torch.full((5, 3), 0.5)
    points[2, 1] = bad
    with pytest.raises(InternalError, match="1 of 5"):
        encode(_served(points, backend), _served(_random_table(SMALL), backend), SMALL, backend)


@pytest.mark.parametrize("backend", ALL)
def test_positions_outside_are_clamped_to_the_cube(backend):
    table = _served(_random_table(SMALL), backend)
    outside = _served(torch.tensor([[-3.0, 0.3, 1e6], [1.0001, -1e-9, 0.5]]), backend)
    assert torch.equal(encode(outside, table, SMALL, backend).features, encode(outside.clamp(0, 1), table, SMALL, backend).features)
    corners = _served(torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3), backend)
    assert bool(encode(corners, table, SMALL, backend).features.isfinite().all())


@pytest.mark.parametrize("backend", ALL)
def test_no_points_give_an_empty_encoding(backend):
    encoding = encode(_served(torch.zeros(0, 3), backend), _served(_random_table(SMALL), backend), SMALL, backend)
    assert encoding.features.shape == (0, 6) and encoding.jacobian.shape == (0, 6, 3)


@pytest.mark.parametrize("backend", ["numba", "triton"])
def test_a_kernel_refuses_64_bit_and_auto_falls_back_to_the_reference(backend):
    points = torch.rand(3, 3, dtype=torch.float64)
    assert choose_engine("auto", points) == "torch"
    assert choose_engine("auto", points.float()) == "numba"
    with pytest.raises(ConfigurationError):
        encode(points, _random_table(SMALL), SMALL, backend)
    with plain_reference():
        assert choose_engine("auto", points.float()) == "torch"


@needs_triton
def test_kernels_compile_for_a_gpu_without_one(tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    printed = subprocess.check_output([sys.executable, "-W", "ignore", "-c", COMPILE_PROGRAM], env=environment, timeout=300, text=True)
    sizes = dict(line.split() for line in printed.splitlines())
    assert set(sizes) == {"encode_kernel", "table_gradient_kernel", "point_gradient_kernel"}
    assert all(int(size) > 1000 for size in sizes.values())


def test_a_kernel_just_compiled_and_one_read_from_the_cache_give_the_same_bits(tmp_path: Path) -> None:
    """A fit that is resumed by a process with a warm cache must go on as if it had never stopped."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    digests = [subprocess.check_output([sys.executable, "-c", DIGEST_PROGRAM], env=environment, timeout=300) for _ in range(2)]
    assert any(tmp_path.rglob("*.nbc")), "nothing was cached, so nothing was compared"
    assert digests[0] == digests[1]
