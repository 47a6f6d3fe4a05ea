"""Measuring models: figures with their conditions, never a bare number."""
