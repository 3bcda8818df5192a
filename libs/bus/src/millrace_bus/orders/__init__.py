"""Orders in Redis, each the join of what every source reported."""
