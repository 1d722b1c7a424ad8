"""Simulation of the accelerator."""
