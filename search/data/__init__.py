"""Labelled street images to train on and to score with: from folders or generated; batches of them; scores."""

from search.data.batches import Batches
from search.data.camvid import CamVid
from search.data.cityscapes import Cityscapes
from search.data.labelled import IGNORE, SPLITS, LabelledImages, Labels, Picture
from search.data.layouts import Layout
from search.data.scenes import Scenes
from search.data.scores import class_iou, confusion_matrix, mean_iou
from search.data.sources import GENERATED, LAYOUTS, open_images

__all__ = [
    "GENERATED",
    "IGNORE",
    "LAYOUTS",
    "SPLITS",
    "Batches",
    "CamVid",
    "Cityscapes",
    "LabelledImages",
    "Labels",
    "Layout",
    "Picture",
    "Scenes",
    "class_iou",
    "confusion_matrix",
    "mean_iou",
    "open_images",
]
