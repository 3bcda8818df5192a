"""The command millrace."""
