"""Pictures, overlay and the one-page report."""
