"""Distance and radiance fields on multiresolution hash grids."""
