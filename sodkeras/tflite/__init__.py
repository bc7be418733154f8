"""To LiteRT (`.tflite`): convert, verify, benchmark.

`convert` needs TensorFlow, in a process of its own; `verify` needs what its two models need; `benchmark` of a
`.tflite` file needs LiteRT alone.
"""
