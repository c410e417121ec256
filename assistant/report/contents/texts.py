"""Fixed texts of a report: the question, the propositions, limits and alternative explanations."""

from assistant.report.contents.model import Propositions

PROPOSITIONS = Propositions(
    identity=(
        "The face in the exhibit depicts the person shown in the query photos.",
        "The face in the exhibit depicts another person.",
    ),
    forgery=(
        "The face in the exhibit was manipulated or synthesised.",
        "The face in the exhibit is as the camera recorded it, apart from ordinary processing "
        "such as compression, resizing and colour correction.",
    ),
    note=(
        "Each pair is examined by itself, and the results of the two must not be multiplied: "
        "nobody has shown that they are independent. That a face depicts a person says nothing "
        "about the origin of the picture, because forgeries are made to depict the person."
    ),
)

LIMITS = (
    "A verdict is the outcome of a fixed rule over fallible measurements. It is a reason to look, "
    "not proof, and it does not say who made a picture or why.",
    "“No forgery found” does not mean that a picture is authentic. Forgeries by unknown methods, "
    "strong compression and small faces can pass unnoticed; the measured share is in the methods.",
    "“Inconclusive” is a result: the measurements do not decide. It supports neither proposition.",
    "Only the pictures listed as exhibits were examined closely. Pictures of the collection that "
    "were ranked lower, and faces that were not detected, can also be forgeries of the person.",
    "A heat map shows what moved the detector, not with certainty where a picture was altered.",
    "The error rates hold for the data that they were measured on. Other cameras, other groups of "
    "people and newer forgery tools can have higher ones.",
    "The query photos are assumed to be authentic and to show one person. This was not examined.",
    "Provenance data in files (content credentials, EXIF) can be added or removed by anyone and "
    "has no part in any verdict.",
)

ALTERNATIVES = (
    "Ordinary processing: strong compression, screenshots, beauty filters, retouching, upscaling "
    "and denoising can raise a forgery score on an authentic picture.",
    "A look-alike or a relative: another person can be as similar to the query person as another "
    "photograph of that person.",
    "A re-upload or crop of a query photo: it is reported as “copy” only if an alignment of the "
    "two pictures proves it.",
    "Another light, age, expression, pose, make-up or camera: each can increase the distance from "
    "the query photos as a forgery does.",
    "A forgery that leaves the face untouched, such as another background or a false caption: it "
    "is outside both pairs of propositions.",
    "A forged query photo: then the comparison describes the forgery, not the person.",
)

LIKELIHOOD_RATIO = (
    "The likelihood ratio compares how probable the measured similarity is if the face shows the "
    "query person, and if it shows another person drawn at random from the reference population. "
    "It is not the probability that the face shows the person: that also depends on everything "
    "else known in the case, which is for the court to weigh.",
    "In words (scale of the ENFSI guideline for evaluative reporting, 2015): below 2 no support, "
    "2 to 10 weak, 10 to 100 moderate, 100 to 1,000 moderately strong, 1,000 to 10,000 strong, "
    "10,000 to 1,000,000 very strong, above that extremely strong support.",
    "The reference population are the photographs that the verdict rule was fitted on: mostly "
    "news photographs, mostly of men. Relatives, look-alikes, children, and groups of people that "
    "are rare among them are more alike than this ratio says.",
    "The exhibits were found by searching a collection for the most similar faces. The more faces "
    "are searched, the more similar the most similar stranger is. The verdict takes the size of "
    "the collection into account; the ratio concerns one face alone.",
)


def question(gallery: str) -> str:
    """The question that a search answers."""
    return (
        f"Which pictures and videos of the collection “{gallery}” show the person in the query "
        "photos, and which of these were forged?"
    )
