"""Outlines of drawn hands paired with those of masks: by place and by side, to the pixel, and where each point of the skin goes."""

import numpy as np
import pytest
import torch
from tiny_scene import right_hand

from hoifield.fitting.hand_contours import OutlinePairs, outline_directions, pair_outlines
from hoifield.geometry.cameras import project
from hoifield.geometry.rasterise import rasterise_mesh

K = torch.tensor([[300.0, 0.0, 100.0], [0.0, 300.0, 90.0], [0.0, 0.0, 1.0]])
SIZE = (180, 200)
HERE = torch.zeros(1, 2)


def bar(width: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A flat upright bar of so many pixels about column 100, 100 pixels tall, a metre away."""
    x, y = width / 600, 50 / 300
    corners = torch.tensor([[[-x, -y, 1.0], [x, -y, 1.0], [x, y, 1.0], [-x, y, 1.0]]])
    return corners, torch.tensor([[0, 1, 2], [0, 2, 3]])


def drawn(vertices: torch.Tensor, faces: torch.Tensor, camera: torch.Tensor = K) -> np.ndarray:
    _, face, _ = rasterise_mesh(vertices[0].double().numpy(), faces.numpy(), camera.double().numpy(), SIZE[1], SIZE[0])
    return face >= 0


def outline_of(mask: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels of a mask beside others in the picture, and the directions out of it there."""
    padded = np.pad(mask, 1, mode="edge")
    whole = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rows, columns = np.nonzero(mask & ~whole)
    place = np.stack([columns, rows], 1) + 0.5
    return torch.tensor(place[None], dtype=torch.float32), torch.tensor(outline_directions(mask)[rows, columns][None])


def paired(vertices: torch.Tensor, faces: torch.Tensor, mask: np.ndarray, corner: torch.Tensor = HERE) -> tuple[torch.Tensor, torch.Tensor, OutlinePairs]:
    """Points of the mask's outline, where their partners are seen, and the pairs."""
    outline, direction = outline_of(mask)
    pairs = pair_outlines(vertices, faces, K, corner, SIZE, outline, direction, torch.ones(outline.shape[:2]))
    return outline[0], project(pairs.points(vertices), K)[0], pairs


def posed_hand(shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    model = right_hand()
    T = torch.eye(4)[None]
    T[0, :3, 3] = torch.tensor([-0.05 + shift, 0.0, 0.4])
    pose = 0.2 * torch.randn(1, 16, 3, generator=torch.Generator().manual_seed(1))
    return model.pose(torch.zeros(10), pose, T).vertices, model.faces


def test_directions_of_a_disk_point_away_from_its_middle_and_are_none_far_from_its_edge():
    y, x = np.mgrid[:80, :80] - 39.5
    directions = outline_directions(np.hypot(x, y) < 20)
    edge = np.abs(np.hypot(x, y) - 20) < 1
    radial = np.stack([x, y], -1) / np.hypot(x, y)[..., None]
    assert ((directions * radial).sum(-1)[edge] > 0.99).all()
    assert np.abs(directions[39:41, 39:41]).max() < 1e-3 and np.abs(directions[0, 0]).max() < 1e-3


def test_a_hand_on_its_own_mask_lies_on_it_to_the_pixel():
    vertices, faces = posed_hand()
    place, partner, pairs = paired(vertices, faces, drawn(vertices, faces))
    assert len(place) > 150 and bool((pairs.weight == 1).all())
    assert float((place - partner).norm(dim=1).max()) < 1e-2


def test_a_hand_beside_its_mask_is_that_far_off_across_the_outline():
    """The negative control of the test above: six pixels to the side are found where the outline faces that side."""
    (vertices, faces), (moved, _) = posed_hand(), posed_hand(shift=6 * 0.4 / 300)
    place, partner, _ = paired(moved, faces, drawn(vertices, faces))
    _, direction = outline_of(drawn(vertices, faces))
    sideways = direction[0, :, 0].abs() > 0.95
    assert 4.5 < float((partner - place)[sideways, 0].median()) < 6.5


def test_crops_are_seen_from_their_corner():
    vertices, faces = posed_hand()
    mask = drawn(vertices, faces)
    corner = torch.tensor([[30.0, 20.0]])
    outline, direction = outline_of(mask)
    pairs = pair_outlines(vertices, faces, K, corner, (150, 160), outline, direction, torch.ones(outline.shape[:2]))
    inner = (outline[0] > corner[0] + 2).all(1) & (outline[0] < corner[0] + torch.tensor([158.0, 148.0])).all(1)
    assert float((project(pairs.points(vertices), K)[0] - outline[0])[inner].norm(dim=1).median()) < 1e-2


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_side_of_a_finger_belongs_to_the_same_side_though_the_other_is_nearer(side: float):
    vertices, faces = bar(width=10.0)
    vertices = vertices + torch.tensor([side * 7.0 / 300, 0.0, 0.0])
    still, _ = bar(width=10.0)
    place, partner, _ = paired(vertices, faces, drawn(still, faces))
    middle = (place[:, 1] > 60) & (place[:, 1] < 120)
    assert bool(((partner - place)[middle, 0] * side > 5).all())


def test_points_of_the_skin_go_with_the_vertices_of_their_faces():
    pairs = OutlinePairs(torch.tensor([[[0, 1, 2]]]), torch.tensor([[[0.5, 0.25, 0.25]]]), torch.ones(1, 1))
    corners = torch.tensor([[[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 8.0, 1.0]]], requires_grad=True)
    points = pairs.points(corners)
    assert torch.equal(points.detach(), torch.tensor([[[1.0, 2.0, 1.0]]]))
    points.sum().backward()
    assert torch.equal(corners.grad[0, :, 0], torch.tensor([0.5, 0.25, 0.25]))  # type: ignore[index]


def test_a_hand_outside_of_the_crop_counts_for_nothing_and_breaks_nothing():
    vertices, faces = bar(10.0)
    outline, direction = outline_of(drawn(vertices, faces))
    pairs = pair_outlines(vertices + torch.tensor([5.0, 0.0, 0.0]), faces, K, HERE, SIZE, outline, direction, torch.ones(outline.shape[:2]))
    assert bool((pairs.weight == 0).all()) and bool(torch.isfinite(pairs.points(vertices)).all())
