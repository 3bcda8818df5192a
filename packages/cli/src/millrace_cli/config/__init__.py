"""`millrace config`: agents' configurations, read and changed with the API's own checks and history."""
