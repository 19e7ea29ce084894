"""How a step runs on the device at hand: speed, not meaning."""
