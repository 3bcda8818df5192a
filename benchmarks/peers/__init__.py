"""What ours is held against: other ways to do the same, as plain as they can be."""
