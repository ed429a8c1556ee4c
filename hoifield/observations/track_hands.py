"""The hands of a clip as poses of an actor: which hands there are, which to keep, and their fits."""

import dataclasses
from dataclasses import dataclass
from typing import Literal, assert_never

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import Side
from hoifield.clip.clip import Clip
from hoifield.geometry.cameras import Camera
from hoifield.observations.fit_hand import fit_hand
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.landmark_networks import LandmarkNetworks
from hoifield.observations.track_keypoints import KeypointTrack, track_keypoints

HandChoice = Literal["auto", "left", "right", "both"]
ActorChoice = Literal["auto", "anny", "mano"]
SURE_AGREEMENT = 0.9
"""Margin of the vote on the side above which the user's word does not turn a hand into its mirror image."""
GHOST_AGREEMENT = 0.1
"""Margin of the vote on the side below which a hand inside a larger one is taken for none; of real second hands it was 0.45 and more."""
GHOST_SIZE = 0.75
"""Of the larger hand's box, below which a hand inside it is taken for none: two hands of one person that hold one thing are of one size. What
was no hand had 0.53 to 0.65, real second hands 0.81 and more."""


@dataclass(frozen=True)
class UnusedHand:
    """A hand that was seen and not fitted."""

    side: Side
    observed_frames: int
    box_side: float
    """Median, pixels of the clip."""


@dataclass(frozen=True)
class TrackedHands:
    """The fitted hands (none where the clip shows none of the asked side), and those left out."""

    hands: tuple[HandTrack, ...]
    unused: tuple[UnusedHand, ...]
    keypoints: tuple[KeypointTrack, ...]
    """What each fitted hand was fitted to."""


def track_hands(clip: Clip, camera: Camera, side: HandChoice, actor: ActorChoice, networks: LandmarkNetworks | None = None) -> TrackedHands:
    """Fitted hands of a clip, camera frame, metres.

    "auto" keeps the hand that fills most of the clip (frames seen times size); "both" keeps up to two. Deterministic.
    """
    found = without_ghosts(track_keypoints(clip, networks or LandmarkNetworks.load()))
    kept, unused = choose_hands(found, side)
    hands = tuple(fit_hand(track, load_actor(actor, track.side), camera, clip.time_s) for track in kept)
    left_out = tuple(UnusedHand(track.side, int(track.observed.sum()), track.box_side) for track in unused)
    return TrackedHands(hands, left_out, kept)


def without_ghosts(found: tuple[KeypointTrack, ...]) -> tuple[KeypointTrack, ...]:
    """The tracks, largest first, without those inside a larger one that are of no clear side or much smaller: objects can pass for hands."""
    kept: list[KeypointTrack] = []
    for track in _largest_first(found):
        if not any(_is_ghost_of(other, track) for other in kept):
            kept.append(track)
    return tuple(kept)


def _is_ghost_of(hand: KeypointTrack, track: KeypointTrack) -> bool:
    doubtful = track.side_agreement < GHOST_AGREEMENT or track.box_side < GHOST_SIZE * hand.box_side
    return doubtful and _lies_within(track, hand)


def _largest_first(found: tuple[KeypointTrack, ...]) -> tuple[KeypointTrack, ...]:
    """By frames seen times size."""
    return tuple(sorted(found, key=lambda track: -float(track.observed.sum()) * track.box_side))


def _lies_within(track: KeypointTrack, other: KeypointTrack) -> bool:
    """Whether the middle of a hand's keypoints is in the box of another's in more than half of its frames."""
    both = track.observed & other.observed
    middle = track.keypoints[both].mean(1)
    lower, upper = other.keypoints[both].min(1), other.keypoints[both].max(1)
    inside = ((middle > lower) & (middle < upper)).all(1)
    return bool(inside.sum() > track.observed.sum() / 2)


def choose_hands(found: tuple[KeypointTrack, ...], side: HandChoice) -> tuple[tuple[KeypointTrack, ...], tuple[KeypointTrack, ...]]:
    """(hands to fit, hands to leave out) of the hands found, for what the user asked.

    A single hand whose side is in doubt takes the side that the user names; two hands of one side under "both" become a pair,
    the surer vote deciding.
    """
    ranked = _largest_first(found)
    match side:
        case "auto":
            return ranked[:1], ranked[1:]
        case "both":
            return _as_pair(ranked[:2]), ranked[2:]
        case "left" | "right":
            wanted = tuple(track for track in ranked if track.side == side)
            if not wanted and len(ranked) == 1 and ranked[0].side_agreement < SURE_AGREEMENT:
                wanted = (dataclasses.replace(ranked[0], side=side, side_agreement=0.0),)
                return wanted, ()
            return wanted[:1], tuple(track for track in ranked if not wanted or track is not wanted[0])
        case _:
            assert_never(side)


def _as_pair(tracks: tuple[KeypointTrack, ...]) -> tuple[KeypointTrack, ...]:
    if len(tracks) < 2 or tracks[0].side != tracks[1].side:
        return tracks
    opposite: Side = "left" if tracks[0].side == "right" else "right"
    doubtful = min(range(2), key=lambda index: tracks[index].side_agreement)
    return tuple(
        dataclasses.replace(track, side=opposite, side_agreement=0.0) if index == doubtful else track for index, track in enumerate(tracks)
    )
