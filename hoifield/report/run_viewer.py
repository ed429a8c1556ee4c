"""`hoifield view`: a run in three dimensions, frame by frame, in the browser of whoever holds the token."""

import html
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float

from hoifield.geometry.rotations import quaternion_from_matrix
from hoifield.report.overlay_video import SKIN
from hoifield.report.viewed_run import (
    Colouring,
    ViewedRun,
    World,
    colour_as_filmed,
    colour_by_sightings,
    confidence_colour,
    decode_picture,
    describe_frame,
    encode_mesh,
    mean_up,
    place_camera,
    place_picture,
    row_at,
    spread_cameras,
    vertical_angle,
)
from hoifield.report.viser_server import start_viser, stop_viser
from hoifield.result.fit_result import FitResult, HandResult

TICK_S = 1 / 30
PAUSE_S = 0.4
"""Between the end of the clip and its next start."""
CAMERA_SIZE = 0.02
LINE = 0.0006
"""Of cameras, metres."""
LEGENDS: dict[Colouring, str] = {
    "filmed": "",
    "seen": "Object: violet where the camera never saw it, from red (few frames) to green (most).",
    "confidence": "Object and hand: confidence of the pose in this frame, red 0, yellow 0.5, green 1.",
}


class RunViewer:
    """The server, the scene and its switches. `show` may be called again with a later state of the same run."""

    def __init__(self, port: int = 0) -> None:
        """Raises what `start_viser` raises."""
        self.server, self.gate = start_viser(port)
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._viewed: ViewedRun | None = None
        self._row = -1
        self.server.gui.set_panel_label("hoifield")
        self.server.gui.main_panel.dock_right()
        self._state = self.server.gui.add_markdown("Nothing has been observed yet.")
        self._controls: _Controls | None = None
        self._nodes: _Nodes | None = None

    def show(self, viewed: ViewedRun) -> None:
        """Puts a state of the run in the place of the last."""
        with self._lock, self.server.atomic():
            first = self._controls is None
            self._viewed = viewed
            self._controls = self._controls or _Controls(self.server, viewed, self)
            self._nodes = self._nodes or _Nodes(self.server, viewed)
            note = "" if viewed.pictures else "\n\nThe clip is not where it lay: no pictures."
            # viser takes HTML in its markdown
            self._state.content = f"**{html.escape(viewed.name)}**, {html.escape(viewed.state)}{note}"
            self.repaint()
            if first:
                self.change_world()
                threading.Thread(target=self._play, daemon=True).start()

    def close(self) -> None:
        """Ends the playing and frees the port."""
        self._closed.set()
        stop_viser(self.server)

    def change_world(self) -> None:
        """Places everything in the world that is chosen, and every visitor before it."""
        with self._lock:
            viewed, controls, _ = self._parts()
            self.place(again=True)
            eye, target, up = choose_view(viewed.result, controls.world)
            self.server.scene.set_up_direction(up)
            self.server.initial_camera.position, self.server.initial_camera.look_at = eye, target
            for client in self.server.get_clients().values():
                client.camera.up_direction, client.camera.position, client.camera.look_at = up, eye, target

    def repaint(self) -> None:
        """Meshes anew, in the colours and the manner that are chosen."""
        with self._lock:
            viewed, controls, nodes = self._parts()
            nodes.paint(viewed.result, controls.colouring, controls.wire.value)
            controls.legend.content = LEGENDS[controls.colouring]
            self.place(again=True)

    def place(self, again: bool = False) -> None:
        """Everything where it is in the frame of the play bar, as the switches say; `again` also where that frame is shown already."""
        with self._lock:
            viewed, controls, nodes = self._parts()
            row = min(controls.frame.value, len(viewed.result.time_s) - 1)
            if row == self._row and not again:
                return
            self._row = row
            with self.server.atomic():
                nodes.place(viewed, row, controls)
                controls.tell(viewed, row)

    def look_through(self, client: Any) -> None:
        """Puts a visitor where the clip's camera is in this frame."""
        with self._lock:
            viewed, controls, _ = self._parts()
            T = place_camera(viewed.result, self._row, controls.world)
            if T is None:
                return
            client.camera.up_direction = -T[:3, 1]
            client.camera.position = T[:3, 3]
            client.camera.look_at = T[:3, 3] + T[:3, 2] * place_picture(viewed.result, self._row).centre[2]
            client.camera.fov = vertical_angle(viewed.result, self._row)

    def _parts(self) -> tuple[ViewedRun, "_Controls", "_Nodes"]:
        assert self._viewed is not None and self._controls is not None and self._nodes is not None
        return self._viewed, self._controls, self._nodes

    def _play(self) -> None:
        """Moves the play bar by the clip's own times while playing is switched on."""
        last, at = time.monotonic(), 0.0
        while not self._closed.wait(TICK_S):
            now = time.monotonic()
            viewed, controls, _ = self._parts()
            times = viewed.result.time_s
            if not controls.play.value:
                at = float(times[min(controls.frame.value, len(times) - 1)])
            else:
                at += (now - last) * controls.speed.value
                at = float(times[0]) if at > float(times[-1]) + PAUSE_S else at
                controls.frame.value = row_at(times, at)
                self.place()
            last = now


class _Controls:
    """The switches at the side; what they change is told to the viewer."""

    def __init__(self, server: Any, viewed: ViewedRun, viewer: RunViewer) -> None:
        gui = server.gui
        self.frame = gui.add_slider("frame", 0, max(len(viewed.result.time_s) - 1, 1), 1, 0)
        self.play = gui.add_checkbox("play", False)
        self.speed = gui.add_slider("speed", 0.1, 2.0, 0.1, 1.0)
        self.reading = gui.add_markdown("")
        self._world = gui.add_dropdown("stands still", get_args(World))
        self._colouring = gui.add_dropdown("colours", get_args(Colouring))
        self.legend = gui.add_markdown("")
        self.hand = gui.add_checkbox("hand", True)
        self.object = gui.add_checkbox("object", True)
        self.cameras = gui.add_checkbox("cameras", True)
        self.picture = gui.add_checkbox("picture", bool(viewed.pictures))
        self.wire = gui.add_checkbox("wire", False)
        look = gui.add_button("look through the camera")
        _on_update(viewer.place, self.frame)
        _on_update(viewer.change_world, self._world)
        _on_update(viewer.repaint, self._colouring, self.wire)
        _on_update(lambda: viewer.place(again=True), self.hand, self.object, self.cameras, self.picture)
        look.on_click(lambda event: viewer.look_through(event.client))

    @property
    def world(self) -> World:
        """What stands still."""
        return self._world.value  # type: ignore[no-any-return]

    @property
    def colouring(self) -> Colouring:
        """Which colours."""
        return self._colouring.value  # type: ignore[no-any-return]

    def tell(self, viewed: ViewedRun, row: int) -> None:
        """Says what is known of a frame."""
        values = dict(describe_frame(viewed.result, row))
        words = [f"frame {viewed.result.frame_index[row]}, {values.pop('time_s'):.2f} s"]
        words += [f"{name}: confidence {value:.2f}" if value > 0 else f"{name}: **no pose**" for name, value in values.items()]
        self.reading.content = "  \n".join(words)


class _Nodes:
    """What stands in the scene: `/clip` is the camera of the frame, with all that it sees; `/cameras` are those of all frames, at the object."""

    def __init__(self, server: Any, viewed: ViewedRun) -> None:
        self._scene = scene = server.scene
        self._clip = scene.add_frame("/clip", show_axes=False)
        self._object = scene.add_frame("/clip/object", show_axes=False)
        self._cameras = scene.add_frame("/cameras", show_axes=False)
        self._camera = self._add_camera("/clip/camera", viewed.result, (40, 90, 200))
        self._hands: dict[str, Any] = {}
        self._mesh: Any = None
        self._track: list[Any] = []
        self._picture: Any = None
        self._paints_confidence = False

    def paint(self, result: FitResult, colouring: Colouring, wire: bool) -> None:
        """Adds the meshes and the cameras anew."""
        self._paints_confidence = colouring == "confidence"
        painted = colour_by_sightings(result) if colouring == "seen" else colour_as_filmed(result)
        # A .glb carries a colour for each vertex and has no wires; a plain mesh has one colour, which can change.
        if wire or self._paints_confidence:
            assert painted.colours is not None
            self._mesh = self._scene.add_mesh_simple(
                "/clip/object/mesh", painted.vertices, painted.faces, color=_bytes(painted.colours.mean(0)), wireframe=wire, cast_shadow=False
            )
        else:
            self._mesh = self._scene.add_glb("/clip/object/mesh", encode_mesh(painted), cast_shadow=False, receive_shadow=False)
        for hand in result.hands:
            self._hands[hand.side] = self._add_hand(hand, wire)
        for camera in self._track:
            camera.remove()
        self._track = [self._add_camera(f"/cameras/{k}", result, (90, 90, 90), T) for k, T in enumerate(spread_cameras(result))]

    def place(self, viewed: ViewedRun, row: int, controls: _Controls) -> None:
        """Poses, hands and picture of a frame."""
        result = viewed.result
        T_world_camera = place_camera(result, row, controls.world)
        self._clip.visible = T_world_camera is not None
        if T_world_camera is not None:
            _move(self._clip, T_world_camera)
        posed = bool(np.isfinite(result.T_camera_object[row]).all())
        self._object.visible = posed and controls.object.value
        if posed:
            _move(self._object, result.T_camera_object[row])
        if self._paints_confidence:
            self._mesh.color = _bytes(confidence_colour(float(result.object_confidence[row])))
        for hand in result.hands:
            self._place_hand(hand, row, controls.hand.value)
        self._camera.visible = controls.cameras.value
        self._cameras.visible = controls.cameras.value and controls.world == "object"
        self._place_picture(viewed, row, controls.picture.value)

    def _place_hand(self, hand: HandResult, row: int, wanted: bool) -> None:
        node = self._hands[hand.side]
        posed = bool(np.isfinite(hand.vertices[row]).all())
        node.visible = posed and wanted
        if posed:
            node.vertices = hand.vertices[row]
        node.color = _bytes(confidence_colour(float(hand.confidence[row])) if self._paints_confidence else SKIN[hand.side])

    def _place_picture(self, viewed: ViewedRun, row: int, wanted: bool) -> None:
        jpeg = viewed.pictures.get(int(viewed.result.frame_index[row]))
        if jpeg is None or not wanted:
            if self._picture is not None:
                self._picture.visible = False
            return
        picture, plane = decode_picture(jpeg), place_picture(viewed.result, row)
        if self._picture is None:
            self._picture = self._scene.add_image("/clip/picture", picture, plane.width, plane.height, cast_shadow=False, receive_shadow=False)
        self._picture.image, self._picture.visible, self._picture.position = picture, True, plane.centre
        self._picture.render_width, self._picture.render_height = plane.width, plane.height

    def _add_hand(self, hand: HandResult, wire: bool) -> Any:
        start = np.zeros(hand.vertices.shape[1:], np.float32)
        # Both sides, since hands are open at the wrist.
        return self._scene.add_mesh_simple(f"/clip/{hand.side}_hand", start, hand.faces, wireframe=wire, side="double", cast_shadow=False)

    def _add_camera(self, name: str, result: FitResult, colour: tuple[int, int, int], T: Float[np.ndarray, "4 4"] | None = None) -> Any:
        width, height = result.image_size
        camera = self._scene.add_camera_frustum(name, vertical_angle(result, 0), width / height, scale=CAMERA_SIZE, thickness=LINE, color=colour)
        if T is not None:
            _move(camera, T)
        return camera


def choose_view(
    result: FitResult, world: World
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Where a visitor starts: eye, point looked at and up, in the world; beside the clip's camera, a little above it."""
    up = mean_up(result, world)
    posed = np.isfinite(result.T_camera_object).all((1, 2))
    distance = float(np.median(result.T_camera_object[posed, 2, 3])) if posed.any() else 0.5
    if world == "camera":
        target = np.median(result.T_camera_object[posed, :3, 3], axis=0) if posed.any() else np.array([0.0, 0.0, distance])
        return np.array([0.6, -0.4, -0.2]) * distance, target, up
    cameras = spread_cameras(result)
    middle = cameras[len(cameras) // 2, :3, 3] if len(cameras) else np.array([0.0, 0.0, -distance])
    return middle * 1.8 + up * 0.6 * distance, np.zeros(3), up


def view_run(states: Iterable[ViewedRun | None], port: int, opened: Callable[[str, int], None]) -> None:
    """Shows the states of a run as they come, until interrupted; `opened` is told address and port first. Raises as `start_viser`."""
    viewer = RunViewer(port)
    try:
        opened(viewer.gate.url, viewer.gate.port)
        for state in states:
            if state is not None:
                viewer.show(state)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        viewer.close()


def _on_update(act: Callable[[], None], *handles: Any) -> None:
    """Calls `act` when a visitor moves one of the handles."""
    for handle in handles:
        handle.on_update(lambda _: act())


def _bytes(colour: Float[np.ndarray, "3"]) -> tuple[int, int, int]:
    """RGB as viser keeps it."""
    red, green, blue = np.round(np.clip(colour, 0.0, 1.0) * 255).astype(int).tolist()
    return red, green, blue


def _move(node: Any, T: Float[np.ndarray, "4 4"]) -> None:
    """Puts a node at a rigid pose in its parent's frame."""
    node.wxyz = quaternion_from_matrix(torch.from_numpy(T[:3, :3].copy())).numpy()
    node.position = T[:3, 3]
