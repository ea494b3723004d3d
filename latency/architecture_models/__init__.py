"""Latencies of whole architectures, learned from architectures that were measured whole."""
