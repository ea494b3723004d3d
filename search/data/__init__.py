"""Labelled images to train on and to score with: from folders or generated; batches of them; scores."""

from search.data.batches import Batches
from search.data.camvid import CamVid
from search.data.cifar10 import Cifar10
from search.data.cityscapes import Cityscapes
from search.data.class_folders import ClassFolders
from search.data.labelled import IGNORE, SPLITS, ClassifiedImages, LabelledImages, Labels, Picture
from search.data.layouts import Layout
from search.data.objects import Objects
from search.data.scenes import Scenes
from search.data.scores import Score, accuracy, class_accuracy, class_iou, confusion_matrix, mean_iou, score_of
from search.data.sources import GENERATED, LAYOUTS, open_images

__all__ = [
    "GENERATED",
    "IGNORE",
    "LAYOUTS",
    "SPLITS",
    "Batches",
    "CamVid",
    "Cifar10",
    "Cityscapes",
    "ClassFolders",
    "ClassifiedImages",
    "LabelledImages",
    "Labels",
    "Layout",
    "Objects",
    "Picture",
    "Scenes",
    "Score",
    "accuracy",
    "class_accuracy",
    "class_iou",
    "confusion_matrix",
    "mean_iou",
    "open_images",
    "score_of",
]
