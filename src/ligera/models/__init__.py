"""Tensors -> raw outputs: blocks, backbones, pyramid, heads, and the catalogue of detectors by name.

Specs, names and the catalogue are plain data; torch is imported only where a network is built.
"""
