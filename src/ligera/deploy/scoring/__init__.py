"""A model and labelled data -> scores with the protocol they were taken by."""
