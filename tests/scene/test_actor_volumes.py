"""Posed hands as volumes: as exact as the mesh near its surface, and canonical points where the skin came from."""

import numpy as np
import pytest
import torch
from tiny_scene import right_hand

from hoifield.actors.pose_limits import pose_from_anatomical
from hoifield.geometry.mesh import Mesh, sample_surface, vertex_normals
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.scene.actor_volumes import ActorVolumes, build_actor_volumes, solve_each

RESOLUTION = 48


def poses() -> torch.Tensor:
    """The flat hand, and one with bent fingers."""
    angles = torch.zeros(2, 16, 3)
    angles[1, 1:13, 0] = 0.5
    return pose_from_anatomical(right_hand(), angles)


@pytest.fixture(scope="module")
def volumes() -> ActorVolumes:
    return build_actor_volumes(right_hand(), torch.zeros(10), poses(), RESOLUTION)


def posed_vertices(frame: int) -> np.ndarray:
    posed = right_hand().pose(torch.zeros(10), poses(), torch.eye(4).expand(2, 4, 4))
    return posed.vertices[frame].double().numpy()


def points_near(frame: int, reach: float, seed: int, count: int = 1500) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mesh = Mesh(posed_vertices(frame), right_hand().faces.numpy())
    direction = generator.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return sample_surface(mesh, count, generator) + direction * generator.uniform(0, reach, (count, 1))


@pytest.mark.parametrize("frame", [0, 1])
def test_distances_within_a_centimetre_of_the_surface_are_those_of_the_mesh(volumes: ActorVolumes, frame: int):
    points = points_near(frame, 0.01, frame)
    exact = MeshDistance(posed_vertices(frame), right_hand().faces.numpy()).closest(points).signed_distance
    rows = torch.full((len(points),), frame)
    found, gradient = volumes.lookup(rows, torch.tensor(points, dtype=torch.float32))
    error = np.abs(found.numpy() - exact)
    # Fingers are four grid cells wide, so their medial axis is cut off: the mean is held to half a millimetre, the rest to a cell.
    assert error.mean() < 0.0005 and np.quantile(error, 0.99) < 0.0025
    assert float((gradient.norm(dim=1) > 0.8).float().mean()) > 0.8


def test_a_finer_grid_is_nearer_to_the_mesh(volumes: ActorVolumes):
    coarse = build_actor_volumes(right_hand(), torch.zeros(10), poses()[:1], RESOLUTION // 2)
    points = points_near(0, 0.01, 5)
    exact = MeshDistance(posed_vertices(0), right_hand().faces.numpy()).closest(points).signed_distance
    rows, at = torch.zeros(len(points), dtype=torch.int64), torch.tensor(points, dtype=torch.float32)
    fine_error, coarse_error = (np.abs(v.lookup(rows, at)[0].numpy() - exact).mean() for v in (volumes, coarse))
    assert fine_error < 0.6 * coarse_error


@pytest.mark.parametrize("frame", [0, 1])
def test_points_on_the_posed_skin_come_back_to_the_rest_skin_from_which_they_came(volumes: ActorVolumes, frame: int):
    model = right_hand()
    posed = posed_vertices(frame)
    found = volumes.nearest_canonical(torch.full((len(posed),), frame), torch.tensor(posed, dtype=torch.float32)).double().numpy()
    # Each answer is that of the nearest grid point: at most half a cell's diagonal away before the inverse skinning.
    cell = float(volumes.spacing[frame])
    error = np.linalg.norm(found - model.template.numpy(), axis=1)
    assert np.median(error) < cell and np.quantile(error, 0.95) < 2 * cell


def test_grid_points_carried_forward_again_by_their_skin_return_to_the_grid(volumes: ActorVolumes):
    model, frame = right_hand(), 1
    posed = model.pose(torch.zeros(10), poses(), torch.eye(4).expand(2, 4, 4))
    index = (volumes.distance[frame].abs() < 0.01).nonzero()[::7]
    points = volumes.lower[frame] + index * volumes.spacing[frame]
    canonical = volumes.canonical[frame][index.unbind(1)].double()
    closest = MeshDistance(posed_vertices(frame), model.faces.numpy()).closest(points.double().numpy())
    weights = (model.weights.double()[model.faces[closest.face]] * torch.tensor(closest.barycentric)[..., None]).sum(1)
    blended = torch.einsum("pj,jab->pab", weights, posed.T_camera_joint[frame].double())
    forward = (blended[:, :3, :3] @ canonical[..., None])[..., 0] + blended[:, :3, 3]
    error = (forward - points).norm(dim=1)
    # Canonical points are kept in 16 bits: 0.1 mm at 20 cm.
    assert float(error.median()) < 1e-4 and float(error.quantile(0.95)) < 5e-4


def test_in_the_flat_pose_canonical_points_are_the_points_themselves(volumes: ActorVolumes):
    index = torch.tensor([[5, 5, 5], [20, 10, 30], [47, 47, 47], [0, 0, 0]])
    points = volumes.lower[0] + index * volumes.spacing[0]
    found = volumes.nearest_canonical(torch.zeros(4, dtype=torch.int64), points).float()
    assert torch.allclose(found, points, atol=2e-4)


def test_the_box_holds_the_hand_and_its_margin(volumes: ActorVolumes):
    for frame in range(2):
        lower = volumes.lower[frame].numpy()
        upper = lower + (RESOLUTION - 1) * float(volumes.spacing[frame])
        vertices = posed_vertices(frame)
        assert (vertices.min(0) - lower >= 0.0149).all() and (upper - vertices.max(0) >= 0.0149).all()


def test_points_beyond_the_skin_are_outside_and_below_it_inside(volumes: ActorVolumes):
    model = right_hand()
    vertices = posed_vertices(0)
    normals = vertex_normals(Mesh(vertices, model.faces.numpy()))
    palm = model.weights[:, 0].numpy() > 0.9
    rows = torch.zeros(int(palm.sum()), dtype=torch.int64)
    above, _ = volumes.lookup(rows, torch.tensor(vertices[palm] + 0.004 * normals[palm], dtype=torch.float32))
    below, _ = volumes.lookup(rows, torch.tensor(vertices[palm] - 0.004 * normals[palm], dtype=torch.float32))
    assert float((above > 0).float().mean()) > 0.97 and float((below < 0).float().mean()) > 0.97


def test_many_small_systems_are_solved_as_the_library_solves_them():
    generator = np.random.default_rng(0)
    matrices, vectors = generator.normal(size=(200, 3, 3)), generator.normal(size=(200, 3))
    expected = np.linalg.solve(matrices, vectors[..., None])[..., 0]
    assert np.allclose(solve_each(matrices, vectors), expected, rtol=1e-7, atol=1e-8)
