"""Exchange to deltas and snapshots."""
