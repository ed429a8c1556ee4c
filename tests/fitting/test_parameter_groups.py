"""Groups of parameters: every trained tensor in one group or deliberately in none, under the name of the scene's state."""

from dataclasses import replace

from tiny_scene import TINY, tiny_scene

from hoifield.fitting.parameter_groups import parameters_of
from hoifield.fitting.stage import FieldStage
from hoifield.pipelines.presets import EVERYTHING

STAGE = FieldStage("coarse", 10, EVERYTHING, network_rate=2e-3, table_rate=1e-2, pose_rate=1e-3)


def test_the_groups_cover_all_but_shape_and_articulation_and_overlap_nowhere():
    scene = tiny_scene()
    entries = [entry for group in EVERYTHING for entry in parameters_of(scene, group, STAGE)]
    names = [name for name, _, _ in entries]
    assert len(names) == len(set(names))
    left = {name for name, _ in scene.named_parameters()} - set(names)
    assert left == {"frames.hands.0.articulation", "frames.hands.0.shape_change"}


def test_colours_with_a_grid_of_their_own_train_it():
    scene = tiny_scene(replace(TINY, colour_table_size=2**10, colour_finest_resolution=32))
    rates = {name: rate for name, _, rate in parameters_of(scene, "object_colour", STAGE)}
    assert rates["object_colour_grid.table"] == 1e-2
    assert not any("grid" in name for name, _, _ in parameters_of(tiny_scene(), "object_colour", STAGE))


def test_names_are_those_of_the_state_and_name_the_very_tensor():
    scene = tiny_scene()
    known = dict(scene.named_parameters())
    for group in EVERYTHING:
        for name, parameter, _ in parameters_of(scene, group, STAGE):
            assert known[name] is parameter


def test_a_slower_shape_slows_nothing_but_the_shape():
    scene = tiny_scene()
    usual, slow = ({n: r for g in EVERYTHING for n, _, r in parameters_of(scene, g, stage)} for stage in (STAGE, replace(STAGE, shape_rate=0.5)))
    for name, rate in usual.items():
        assert slow[name] == (0.5 * rate if name.startswith("object_distance.") else rate)


def test_tables_learn_faster_than_networks_and_hands_slower_than_the_object():
    scene = tiny_scene()
    rates = {name: rate for group in EVERYTHING for name, _, rate in parameters_of(scene, group, STAGE)}
    assert rates["object_distance.table"] == rates["actors.0.table"] == rates["background.table"] == 1e-2
    assert rates["object_distance.network.last.weight"] == rates["background_code"] == 2e-3
    assert rates["frames.hands.0.translation"] < rates["frames.object_translation"] < rates["frames.object_rotation"] == 1e-3
