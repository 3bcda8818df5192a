"""Speed, each figure beside its limit or peer taken in the same run. See README.md."""
