"""Reinforcement learning on answers whose reward can be checked."""
