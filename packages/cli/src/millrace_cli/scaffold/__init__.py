"""`millrace new`: files to begin with."""
