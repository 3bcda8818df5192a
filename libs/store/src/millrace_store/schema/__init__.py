"""What is stored: the tables and their migrations, and what the name of a stream says of its rows."""
