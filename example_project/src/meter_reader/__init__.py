"""Reads the counter of a water meter, cell by cell, with three networks on a Coral Edge TPU."""
