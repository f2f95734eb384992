"""Partition tables: where a disk's partitions lie."""
