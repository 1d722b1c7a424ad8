"""Overlays that pynq finds by name: files of one base name, in this folder or in one of that name.

``pynq.Overlay("tercel.bit")`` looks here too. There are no finished bitstreams to ship yet.
"""
