"""The command line, one verb a file.

A verb's module has a docstring, which is its help; `define_flags(options)`, which defines its flags with
`sodkeras.commands.options.Options`; and `run(options, arguments)`, which gets their values, does the work and returns
the exit code. What a verb needs is imported inside `run`: `sodkeras predict` on a phone board needs no TensorFlow.
"""
