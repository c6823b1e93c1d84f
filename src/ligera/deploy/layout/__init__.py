"""Running a Mask R-CNN without torch: three ONNX graphs, and everything between them in numpy.

    page -> front graph -> proposals -> align -> boxes graph -> regions -> align -> masks graph -> masks -> Detections

Each step does what torchvision's module of the same purpose does, and is tested equal to it.
"""
