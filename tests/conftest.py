"""What tests of whole commands share with those of ``deploy``: a real bundle whose answer anyone can foretell."""

from .deploy.conftest import bundle, classifier_bundle, picture_file
from .deploy.layout.conftest import trained_pair

__all__ = ["bundle", "classifier_bundle", "picture_file", "trained_pair"]
