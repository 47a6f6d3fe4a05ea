"""Stages of a run: data, loss and stop rule of each, and the order in which they go."""
