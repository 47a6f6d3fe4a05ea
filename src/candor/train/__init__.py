"""Training: one step, one optimizer, one schedule, one checkpoint, shared by every stage."""
