"""One thin command per verb; ``cli`` puts them together. Each imports its work only when it is called."""
