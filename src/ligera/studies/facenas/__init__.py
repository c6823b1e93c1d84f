"""FaceNAS (paper C): does a search for a device's latency land on it, and does it pay?"""
