"""Names of parameter groups -> the tensors of the scene and their learning rates."""

from typing import assert_never

from torch import nn

from hoifield.fitting.stage import FieldStage, ParameterGroup
from hoifield.scene.scene import Scene


def parameters_of(scene: Scene, group: ParameterGroup, stage: FieldStage) -> list[tuple[str, nn.Parameter, float]]:
    """(name, tensor, learning rate) of one group; names are those of the scene's state."""
    match group:
        case "object_shape":
            return [(name, tensor, stage.shape_rate * rate) for name, tensor, rate in _module_parameters(scene.object_distance, "object_distance", stage)]
        case "object_colour":
            own = [] if scene.object_colour_grid is None else _module_parameters(scene.object_colour_grid, "object_colour_grid", stage)
            return _module_parameters(scene.object_colour, "object_colour", stage) + own
        case "background":
            code = ("background_code", scene.background_code, stage.network_rate)
            return [code, *_module_parameters(scene.background, "background", stage)]
        case "hand_surface":
            groups = [_module_parameters(actor, f"actors.{k}", stage) for k, actor in enumerate(scene.actors)]
            return [entry for entries in groups for entry in entries]
        case "object_pose":
            return [
                ("frames.object_rotation", scene.frames.object_rotation, stage.pose_rate),
                ("frames.object_translation", scene.frames.object_translation, stage.pose_rate / 10),
            ]
        case "hand_root":
            roots = []
            for k, (_, poses) in enumerate(scene.hands()):
                roots.append((f"frames.hands.{k}.rotation", poses.rotation, stage.pose_rate / 3))
                roots.append((f"frames.hands.{k}.translation", poses.translation, stage.pose_rate / 30))
            return roots
        case _:
            assert_never(group)


def _module_parameters(module: nn.Module, prefix: str, stage: FieldStage) -> list[tuple[str, nn.Parameter, float]]:
    found = []
    for name, parameter in module.named_parameters():
        rate = stage.table_rate if name.endswith("table") else stage.network_rate
        found.append((f"{prefix}.{name}", parameter, rate))
    return found
