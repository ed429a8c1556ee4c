"""Whether every frame that a video file should hold was decoded: decoders report success on cut and damaged files.

Independent figures: packets against frames, the sample index, the declared duration of all tracks, gaps in the time stamps; and
the declared size of the outermost boxes (MP4, Matroska) or the sync bytes (transport streams) against the bytes of the file.
"""

import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

_INDEXED_FORMATS = frozenset({"mov", "avi"})
_TIMED_FORMATS = frozenset({"matroska", "flv", "asf", "mov"})
# Codecs whose packets are not one to one with shown frames: hidden reference frames, several frames packed in a packet.
_LOOSE_CODECS = frozenset({"vp8", "mpeg4", "msmpeg4v3", "gif", "apng"})
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_TRANSPORT_SYNC = b"\x47"
_TRANSPORT_PACKET = 188


@dataclass
class DecodeTally:
    """What one full decode pass counted."""

    format_names: frozenset[str]
    codec: str
    index_length: int = 0
    declared_frames: int = 0
    """0 where the header does not say."""
    declared_duration_s: float | None = None
    declared_video_duration_s: float | None = None
    packets: int = 0
    hidden_packets: int = 0
    """Packets outside the edit list: decoded for reference, never shown."""
    damaged: int = 0
    """Packets or frames that the demuxer or decoder flags as corrupt, and decoding errors."""
    frames: int = 0
    first_s: float = float("inf")
    last_end_s: float = float("-inf")
    """End of the last packet of any track."""
    video_end_s: float = float("-inf")
    pixel_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)


def missing_frames(tally: DecodeTally, time_s: Float[np.ndarray, "frame"]) -> int:
    """About how many frames are missing, 0 for a whole file: by the sample index where there is one, else by the declared duration
    and the time stamps."""
    interval = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0 / 30.0
    # A fragmented MP4 has no frames in its header, and lost fragments are absent from its index.
    indexed = bool(tally.format_names & _INDEXED_FORMATS) and tally.declared_frames > 0
    one_to_one = tally.codec not in _LOOSE_CODECS
    in_decoder = tally.packets - tally.hidden_packets - tally.frames if one_to_one else 0
    if indexed:
        in_index = tally.index_length - tally.hidden_packets - tally.frames if one_to_one else 0
        in_header = tally.declared_frames - tally.frames if "avi" in tally.format_names else 0
        duration = tally.declared_video_duration_s or 0.0
        at_end = round((duration - float(time_s[-1])) / interval) - 1 if len(time_s) and interval > 0 else 0
        # The index is the better witness; a duration counts only where most likely the index itself is damaged.
        return max(0, in_decoder, in_index, in_header, at_end if at_end > 0.1 * len(time_s) else 0)
    at_end = 0
    if tally.format_names & _TIMED_FORMATS and interval > 0 and tally.packets:
        shortfalls_s = [0.0]
        if tally.declared_duration_s is not None and np.isfinite(tally.first_s):
            shortfalls_s.append(tally.declared_duration_s - (tally.last_end_s - tally.first_s))
        if tally.declared_video_duration_s is not None and np.isfinite(tally.video_end_s):
            shortfalls_s.append(tally.declared_video_duration_s - tally.video_end_s)
        at_end = round(max(shortfalls_s) / interval)
    return at_end + max(0, in_decoder, frames_in_gaps(time_s))


def tolerated_shortfall(expected: int) -> float:
    """Missing frames that are put up with: two, or 2 % of the expected ones."""
    return max(2.0, 0.02 * expected)


def frames_in_gaps(time_s: Float[np.ndarray, "frame"]) -> int:
    """Frames that fit into the gaps of the time stamps.

    With a constant frame rate (nine in ten intervals within 20 % of the median) every hole counts; with a variable one only
    holes above half a second and eight median intervals, because phones drop single frames on purpose.
    """
    intervals = np.diff(time_s)
    if len(intervals) < 2:
        return 0
    median = float(np.median(intervals))
    if median <= 0:
        return 0
    constant = float(np.mean(np.abs(intervals - median) <= 0.2 * median)) >= 0.9
    smallest = 1.5 * median if constant else max(0.5, 8.0 * median)
    return int(sum(round(interval / median) - 1 for interval in intervals[intervals > smallest]))


def bytes_cut_off(path: Path) -> int:
    """Bytes that the outermost boxes of an MP4 or Matroska file declare beyond its end, or that are lost from the packets of a
    transport stream; 0 for whole files and other formats."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(_TRANSPORT_PACKET + 1)
        if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _mp4_bytes_cut_off(stream, size)
        if start[:4] == _EBML:
            return _matroska_bytes_cut_off(stream, size)
        if start[:1] == _TRANSPORT_SYNC == start[_TRANSPORT_PACKET:]:
            return _transport_bytes_lost(stream, size)
    return 0


def _mp4_bytes_cut_off(stream: BinaryIO, size: int) -> int:
    """Walks the top-level boxes by their sizes. Junk behind the last whole box is no loss of content, unless the file comes in
    fragments: then it hides the fragments that follow."""
    position, fragmented = 0, False
    while position + 8 <= size:
        stream.seek(position)
        header = stream.read(16)
        length = struct.unpack(">I", header[:4])[0]
        fragmented = fragmented or header[4:8] == b"moof"
        if not header[4:8].isalnum() or (fragmented and length < 8 and length != 1):
            return size - position if fragmented else 0
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:16])[0]
        elif length == 0:
            return 0
        if length < 8:
            return 0
        position += length
    return max(0, position - size)


def _matroska_bytes_cut_off(stream: BinaryIO, size: int) -> int:
    """Compares the size of the Segment, where it is declared, with the file."""
    stream.seek(4)
    header_length, used = _read_ebml_size(stream.read(8))
    if header_length is None:
        return 0
    segment_start = 4 + used + header_length
    stream.seek(segment_start)
    header = stream.read(12)
    if header[:4] != _SEGMENT:
        return 0
    segment_length, used = _read_ebml_size(header[4:])
    return 0 if segment_length is None else max(0, segment_start + 4 + used + segment_length - size)


def _transport_bytes_lost(stream: BinaryIO, size: int) -> int:
    """Bytes in packets of a transport stream that do not begin with the sync byte, and of its last packet if it is cut."""
    stream.seek(0)
    lost = 0
    while block := stream.read(_TRANSPORT_PACKET * 4096):
        lost += _TRANSPORT_PACKET * sum(byte != _TRANSPORT_SYNC[0] for byte in block[::_TRANSPORT_PACKET])
    return lost + -size % _TRANSPORT_PACKET


def _read_ebml_size(data: bytes) -> tuple[int | None, int]:
    """(value, bytes used) of an EBML variable-length size; the value is None where it is unknown or cut off."""
    if not data or data[0] == 0:
        return None, 0
    used = 9 - data[0].bit_length()
    if len(data) < used:
        return None, 0
    value = int.from_bytes(data[:used], "big") & ((1 << (7 * used)) - 1)
    return (None if value == (1 << (7 * used)) - 1 else value), used
