"""Models by family: what is trained, and what is then iterated."""
