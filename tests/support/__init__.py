"""What the system tests share: the platform under test, and a client that has nothing of ours."""
