"""Trained weights -> one ONNX bundle, compared with its network. Of all of deploy only this room knows torch."""
