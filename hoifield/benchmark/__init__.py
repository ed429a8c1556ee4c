"""The generated benchmark: clips by tier, the fit and its anchors on each, one table and one page."""
