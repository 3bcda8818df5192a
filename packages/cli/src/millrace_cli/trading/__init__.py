"""`millrace publish`, `orders`, `halt` and `resume`."""
