"""Bundles in other precisions: fp16 and bf16 halve what is stored, int8 changes what is computed.

``converting.convert`` is the way in. int8 is made with ONNX Runtime's quantiser: ``graph`` prepares and reads the
network, ``calibration`` finds the ranges of its activations on pictures, ``int8`` writes the quantised graph,
``sensitivity`` ranks layers by the error that quantising each one causes, and ``gate`` scores models, so that
``search`` can keep the worst layers in float until the bundle holds its bound. A recogniser is shown the faces that it
looks at, and ``logits`` takes off again what rounding adds to its answers, so that its thresholds still hold.
"""
