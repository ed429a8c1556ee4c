"""Pictures of a mesh from all sides."""

import numpy as np
from jaxtyping import Float, UInt8

from hoifield.geometry.mesh import Mesh
from hoifield.report.draw_meshes import draw_meshes

PAPER = 246
SUPERSAMPLING = 2


def render_turntable(mesh: Mesh, views: int = 8, size: int = 200, clay: bool = False) -> UInt8[np.ndarray, "height width 3"]:
    """One strip: `views` sides around the y axis of the mesh's frame, 20 degrees raised, then straight onto both ends of the axis.

    The last two show what the sides hide, such as a cavity. `clay` leaves the vertex colours out, so that only shape shows.
    `size` is the side of one picture, pixels. An empty mesh gives empty pictures.
    """
    directions = [(turn, np.deg2rad(20.0)) for turn in np.arange(views) * 2.0 * np.pi / views]
    directions += [(0.0, np.pi / 2), (0.0, -np.pi / 2)]
    shown = Mesh(mesh.vertices, mesh.faces) if clay else mesh
    return np.concatenate([_render_view(shown, turn, raised, size) for turn, raised in directions], axis=1)


def _render_view(mesh: Mesh, turn: float, raised: float, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The mesh from the direction (turn about y, raised above the side), framed by its bounding sphere."""
    picture = np.full((size, size, 3), PAPER, dtype=np.uint8)
    if len(mesh.faces) == 0:
        return picture
    lower, upper = mesh.vertices.min(0), mesh.vertices.max(0)
    radius = max(float(np.linalg.norm(mesh.vertices - (lower + upper) / 2, axis=1).max()), 1e-6)
    T = _look_at((lower + upper) / 2, turn, raised, 4.0 * radius)
    side = size * SUPERSAMPLING
    focal = side * 0.46 * 4.0 * np.sqrt(1 - 1 / 16)
    K = np.array([[focal, 0.0, side / 2], [0.0, focal, side / 2], [0.0, 0.0, 1.0]])
    scaled = Mesh((mesh.vertices @ T[:3, :3].T + T[:3, 3]) / radius, mesh.faces, mesh.colours)
    drawing = draw_meshes([scaled], K, side, side)
    full = np.where((drawing.entity >= 0)[..., None], drawing.colour * 255.0, float(PAPER))
    return np.round(full.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3).mean((1, 3))).astype(np.uint8)


def _look_at(centre: Float[np.ndarray, "3"], turn: float, raised: float, distance: float) -> Float[np.ndarray, "4 4"]:
    """T_camera_mesh of a camera that looks at `centre`; the mesh's +y is up in the picture."""
    outward = np.array([np.cos(raised) * np.sin(turn), np.sin(raised), np.cos(raised) * np.cos(turn)])
    right = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    down = np.cross(-outward, right)
    rotation = np.stack([right, down, -outward])
    T = np.eye(4)
    T[:3, :3] = rotation
    T[:3, 3] = -rotation @ (centre + distance * outward)
    return T
