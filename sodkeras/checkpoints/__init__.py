"""Readers of the authors' released files, and the name maps of each network.

`onnx_file` and `pytorch_file` turn a file into plain arrays; one module per network knows which array is which layer.
"""
