"""What training on generated pictures taught: networks, their weights, and the one loop that trains them."""
