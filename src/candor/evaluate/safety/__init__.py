"""Safety banks in the shape of GB/T 45654-2025: read, judge, attack, decide; the risk register."""
