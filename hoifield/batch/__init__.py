"""Many clips: each fitted in a process of its own, each ended in exactly one state."""
