"""What a run will take: parameters, memory, time."""
