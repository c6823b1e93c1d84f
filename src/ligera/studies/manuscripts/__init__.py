"""Pages of manuscripts (paper B): ten backbones under Mask R-CNN, and what each point of AP costs."""
