"""A video file or a folder of images as a stream of timed, upright frames."""
