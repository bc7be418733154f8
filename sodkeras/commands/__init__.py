"""The command line, one verb a file.

A verb's module has a docstring, which is its help; `define_flags(flag_values)`, which declares its absl flags on a
`FlagValues` of its own; and `run(flag_values, arguments)`, which does the work and returns the exit code. What a verb
needs is imported inside `run`, so that `sodkeras predict` on a phone board needs no TensorFlow.
"""
