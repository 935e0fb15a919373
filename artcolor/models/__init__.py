"""The model zoo: networks, heads, and a registry to build models by name."""
