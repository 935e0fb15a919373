"""The model zoo: networks, heads, and how to get them by name."""
