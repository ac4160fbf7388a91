"""The same run on several processes."""
