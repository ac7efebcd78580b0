"""What `tinyvit bench` measures, and how."""
