"""Exercises: stubs to fill in, checked in a process of their own, with a diagnosis."""
