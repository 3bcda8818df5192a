"""`millrace secrets`: keys, and the secrets in configurations that they encrypt."""
