"""Who does what in the demo: three questions of the sample bank and four students, written for the demo alone.

The answers are not in the sample bank: what the models were made with, they are not shown off with.
"""

from __future__ import annotations

from dataclasses import dataclass

QUIZ_TITLE = "Warm-up: does it generalise?"
INSTRUCTOR = "ada"
SAMPLE_IDS = ("overfitting", "precision-recall", "k-means")
POINTS_EACH = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A student of the practice LMS with one answer a question, in the order of ``SAMPLE_IDS``."""

    slug: str
    style: str
    answers: tuple[str, ...]


STUDENTS = (
    Student(
        slug="priya",
        style="full answer",
        answers=(
            "The network has learned the random noise of the examples it was trained on instead of the general rule, "
            "so on fresh data it performs poorly. I would see the loss on the validation set going up again although "
            "the training loss is still shrinking. I would fight it with weight decay, dropout, early stopping or by "
            "getting more training data.",
            "Precision: of everything the model called positive, how much was truly positive. Recall: of all true "
            "positives in the data, how many the model caught. If I raise the threshold the model only says yes when "
            "it is very sure, so precision rises but it misses more positives and recall sinks; lowering it reverses "
            "this.",
            "First every point is put into the cluster with the closest centre, then every centre is moved to the "
            "average of its points, and this repeats until nothing changes. That reduces the sum of the squared "
            "distances between points and their centres. A drawback is that you must pick k in advance and the "
            "outcome depends on where the centres started.",
        ),
    ),
    Student(
        slug="mateo",
        style="half answer",
        answers=(
            "It means the model memorised the training examples including their noise and does not work well on data "
            "it has never seen before.",
            "Precision tells you which fraction of the predicted positives is correct. I don't remember exactly what "
            "recall was.",
            "It assigns each point to the nearest centroid, then recomputes each centroid as the mean of its points.",
        ),
    ),
    Student(
        slug="lukas",
        style="short right",
        answers=(
            "learns noise, bad on new data. train loss down, val loss up. more data / regularise / stop early",
            "precision = TP/(TP+FP), recall = TP/(TP+FN); higher threshold: fewer FP but more FN",
            "assign to nearest centroid, move centroid to mean; lowers squared distance in clusters; k must be chosen",
        ),
    ),
    Student(
        slug="maria",
        style="long wrong",
        answers=(
            "Overfitting is a very common situation in machine learning in which the model is far too small for the "
            "problem. Because it has too few parameters it cannot even describe the training data, so the training "
            "error stays high during all epochs while the validation error is low. The best thing you can do is to "
            "remove training data and to train for many more epochs with a larger model until the training error "
            "reaches zero, because then the model has understood everything.",
            "Precision and recall are two names for the accuracy of a classifier, that is the number of correct "
            "predictions divided by the number of all predictions. Precision is computed on the training set and "
            "recall on the test set. The decision threshold is a learned parameter of the network, and when training "
            "moves it both values always rise together, which is why people usually report only one of the two.",
            "K-means is a supervised method that needs the correct label of each point. In the first step it trains a "
            "classifier on the labels, and in the second step it removes all the points which were classified in the "
            "wrong way. By doing this again and again it maximises the distance between the points and their own "
            "centre. Its weakness is that it works only for text and never for numbers.",
        ),
    ),
)
