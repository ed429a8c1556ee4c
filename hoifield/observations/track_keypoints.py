"""The 21 keypoints of up to two hands over a clip, followed from frame to frame and from both sides of every gap."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoifield.actors.skinned_model import Side
from hoifield.clip.clip import Clip
from hoifield.observations.landmark_networks import LandmarkNetworks, Landmarks, Palm
from hoifield.observations.rotated_boxes import RotatedBox, are_same_hand, box_from_landmarks, keypoint_box_side

LONGER_SIDE = 1280
PRESENCE_THRESHOLD = 0.5
PALM_PERIOD = 10
"""Frames between looks for a second hand."""
PATIENCE = 5
"""Frames for which a lost hand is looked for where it was last seen."""
CHUNK = 32
"""Frames of a gap that are held in memory while it is followed backwards."""
SMALLEST_HAND = 0.03
"""Share of the picture's longer side below which keypoints are no hand to fit."""
MINIMUM_SHARE, MINIMUM_FRAMES = 0.03, 3
"""Below these a hand is a mistake of the detector."""
REJOIN_COST = 0.5
"""Above this a re-appearing hand is another one: far away and of no clear side, or near and of the other side."""
PALM_KEYPOINTS = (0, 5, 9, 13, 17, 1, 2)
"""Keypoints of the hand at the palm network's seven."""


@dataclass(frozen=True)
class KeypointTrack:
    """One hand's detected keypoints; NaN in frames without it."""

    side: Side
    side_agreement: float
    """Margin of the vote on the side, in [0, 1]; 0 is a coin toss."""
    observed: Bool[np.ndarray, "frame"]
    keypoints: Float[np.ndarray, "frame 21 2"]
    """Pixels of the clip."""
    world: Float[np.ndarray, "frame 21 3"]
    """The network's own 3-D guess, metres, camera axes as if the hand were in the middle of the picture."""
    presence: Float[np.ndarray, "frame"]
    """In [0, 1]; 0 in frames without the hand."""

    @property
    def box_side(self) -> float:
        """Median larger side of the hand's box, pixels of the clip."""
        return float(np.median(keypoint_box_side(self.keypoints[self.observed])))


@dataclass
class _Follower:
    """One hand while it is followed."""

    found: dict[int, Landmarks] = field(default_factory=dict)
    box: RotatedBox | None = None
    missed: int = 0

    def follow(self, networks: LandmarkNetworks, picture: UInt8[np.ndarray, "height width 3"], others: list[Landmarks]) -> Landmarks | None:
        """This picture's keypoints, looked for where the hand was last seen; None where it is not (or is one of `others`)."""
        if self.box is None:
            return None
        landmarks = networks.find_landmarks(picture, self.box)
        if is_hand(landmarks, picture) and not any(are_same_hand(landmarks.keypoints, other.keypoints) for other in others):
            self.box, self.missed = box_from_landmarks(landmarks.keypoints), 0
            return landmarks
        self.missed += 1
        if self.missed >= PATIENCE:
            self.box = None
        return None

    def begin(self, landmarks: Landmarks) -> None:
        self.box, self.missed = box_from_landmarks(landmarks.keypoints), 0

    def rejoin_cost(self, landmarks: Landmarks) -> float:
        """How unlike this hand new keypoints are, from -1 to 2: how far from where it was last seen, and whether the sides differ."""
        last = self.found[max(self.found)]
        side = float(keypoint_box_side(last.keypoints))
        distance = float(np.linalg.norm(last.keypoints.mean(0) - landmarks.keypoints.mean(0))) / max(side, 1.0)
        vote = side_vote(list(self.found.values())) * side_vote([landmarks])
        return min(distance / 2, 1.0) - vote


def track_keypoints(clip: Clip, networks: LandmarkNetworks) -> tuple[KeypointTrack, ...]:
    """Keypoint tracks of the hands of a clip (none, one or two), the one seen in more frames first.

    Each picture is streamed once; only the frames of gaps are read again. Keypoints count where the network's presence score is
    at least 0.5.
    """
    size = working_size(clip)
    followers: list[_Follower] = []
    for frame, picture in clip.read_frames(size=size):
        _follow_frame(followers, networks, frame, picture)
    _follow_gaps_backwards(followers, networks, clip, size)
    minimum = max(MINIMUM_FRAMES, MINIMUM_SHARE * clip.frame_count)
    kept = [follower.found for follower in followers if len(follower.found) >= minimum]
    tracks = [_assemble_track(found, clip.frame_count, clip.width / size[0]) for found in kept]
    return tuple(sorted(tracks, key=lambda track: -int(track.observed.sum())))


def working_size(clip: Clip) -> tuple[int, int]:
    """(width, height) at which hands are looked for: the clip's, its longer side at most 1280."""
    scale = min(1.0, LONGER_SIDE / max(clip.width, clip.height))
    return max(1, round(clip.width * scale)), max(1, round(clip.height * scale))


def is_hand(landmarks: Landmarks, picture: UInt8[np.ndarray, "height width 3"]) -> bool:
    """True where keypoints are present, finite and large enough to be fitted."""
    if landmarks.presence < PRESENCE_THRESHOLD or not np.isfinite(landmarks.keypoints).all():
        return False
    return bool(keypoint_box_side(landmarks.keypoints) >= SMALLEST_HAND * max(picture.shape[:2]))


def side_vote(found: list[Landmarks]) -> float:
    """In [-1, 1], positive for a right hand: fingers curl to the palm's side, and the network's own handedness score.

    The curl is (tips - knuckles) . ((k5 - k17) x (k9 - k0)) of the world keypoints, which does not depend on the viewpoint; it is
    the surer of the two while an object is held, the score (high for a right hand) while the hand is open.
    """
    world = np.stack([landmarks.world for landmarks in found])
    normal = np.cross(world[:, 5] - world[:, 17], world[:, 9] - world[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    curl = ((world[:, [8, 12, 16, 20]] - world[:, [5, 9, 13, 17]]) * normal[:, None]).sum(-1).mean(1)
    label = 2.0 * np.array([landmarks.handedness for landmarks in found]) - 1.0
    return float((np.clip(curl / 0.02, -1, 1) + label).mean() / 2)


def _follow_frame(followers: list[_Follower], networks: LandmarkNetworks, frame: int, picture: UInt8[np.ndarray, "height width 3"]) -> None:
    """One frame of the forward pass: known hands where they were, new or lost ones by the palm network."""
    current: list[Landmarks] = []
    for follower in followers:
        landmarks = follower.follow(networks, picture, current)
        if landmarks is not None:
            follower.found[frame] = landmarks
            current.append(landmarks)
    missing = len(current) < max(1, len([f for f in followers if f.box is not None]))
    if len(current) == 2 or not (missing or frame % PALM_PERIOD == 0):
        return
    for palm in networks.find_palms(picture):
        if len(current) == 2:
            return
        if any(_is_palm_of(palm, known) for known in current):
            continue
        landmarks = networks.find_landmarks(picture, palm.box)
        if is_hand(landmarks, picture) and not any(are_same_hand(landmarks.keypoints, known.keypoints) for known in current):
            # The palm's box is coarse: a second look from the keypoints themselves is what every later frame sees.
            again = networks.find_landmarks(picture, box_from_landmarks(landmarks.keypoints))
            landmarks = again if is_hand(again, picture) else landmarks
            _assign(followers, frame, landmarks)
            current.append(landmarks)


def _assign(followers: list[_Follower], frame: int, landmarks: Landmarks) -> None:
    """Give newly detected keypoints to the lost hand that they fit best, or to a new one while there are fewer than two."""
    lost = [follower for follower in followers if frame not in follower.found]
    best = min(lost, key=lambda follower: follower.rejoin_cost(landmarks), default=None)
    if len(followers) < 2 and (best is None or best.rejoin_cost(landmarks) > REJOIN_COST):
        best = _Follower()
        followers.append(best)
    if best is not None:
        best.found[frame] = landmarks
        best.begin(landmarks)


def _is_palm_of(palm: Palm, known: Landmarks) -> bool:
    side = float(keypoint_box_side(known.keypoints))
    return bool(np.linalg.norm(palm.keypoints - known.keypoints[list(PALM_KEYPOINTS)], axis=1).mean() < 0.3 * side)


def _follow_gaps_backwards(followers: list[_Follower], networks: LandmarkNetworks, clip: Clip, size: tuple[int, int]) -> None:
    """Fill frames before each re-appearance, from later frames to earlier ones, until the hand is lost that way too.

    The last frames of all gaps are read in one pass; gaps that could be filled further are taken up in another.
    """
    windows = [(follower, end) for follower in followers for end in sorted(follower.found) if _gap_length(follower, end) > 0]
    while windows:
        windows.sort(key=lambda window: window[1])
        lows = [end - min(CHUNK, _gap_length(follower, end)) for follower, end in windows]
        wanted = sorted({frame for low, (_, end) in zip(lows, windows) for frame in range(low, end)})
        unfinished: list[tuple[_Follower, int]] = []
        held: dict[int, UInt8[np.ndarray, "height width 3"]] = {}
        done = 0
        for frame, picture in clip.read_frames(wanted, size):
            held[frame] = picture
            while done < len(windows) and windows[done][1] == frame + 1:
                follower, end = windows[done]
                _follow_back(follower, followers, networks, {f: held[f] for f in range(lows[done], end)}, end)
                if lows[done] in follower.found and _gap_length(follower, lows[done]) > 0:
                    unfinished.append((follower, lows[done]))
                done += 1
            earliest = min(lows[done:], default=frame + 1)
            held = {number: kept for number, kept in held.items() if number >= earliest}
        windows = unfinished


def _gap_length(follower: _Follower, end: int) -> int:
    """Frames without the hand right before frame `end`."""
    length = 0
    while end - length > 0 and end - length - 1 not in follower.found:
        length += 1
    return length


def _follow_back(
    follower: _Follower, followers: list[_Follower], networks: LandmarkNetworks, pictures: dict[int, UInt8[np.ndarray, "h w 3"]], end: int
) -> None:
    follower.begin(follower.found[end])
    for frame in sorted(pictures, reverse=True):
        known = [other.found[frame] for other in followers if other is not follower and frame in other.found]
        landmarks = follower.follow(networks, pictures[frame], known)
        if landmarks is not None:
            follower.found[frame] = landmarks
        elif follower.box is None:
            return


def _assemble_track(found: dict[int, Landmarks], frame_count: int, scale: float) -> KeypointTrack:
    """Arrays over all frames; `scale` turns working pixels into pixels of the clip."""
    keypoints = np.full((frame_count, 21, 2), np.nan)
    world = np.full((frame_count, 21, 3), np.nan)
    presence = np.zeros(frame_count)
    for frame, landmarks in found.items():
        keypoints[frame] = landmarks.keypoints * scale
        world[frame] = landmarks.world
        presence[frame] = landmarks.presence
    vote = side_vote(list(found.values()))
    side: Side = "right" if vote > 0 else "left"
    return KeypointTrack(side, abs(vote), presence > 0, keypoints, world, presence)
