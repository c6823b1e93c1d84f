"""Study ``detectors``: face detectors of many makers on the same pictures, plain and with bounded preprocessing."""
