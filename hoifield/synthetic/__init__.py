"""Generated clips with exact truth."""
