"""Who may do what: tokens, browser sessions, roles, limits, and the trail of what was done and denied."""
