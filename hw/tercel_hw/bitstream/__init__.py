"""Bitstreams: the vendor's tool, a run of it, and records of builds."""
