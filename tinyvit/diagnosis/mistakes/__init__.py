"""What is often written wrong: a file a stem, each a table of changes to the textbook's source."""
