"""What Unmask says about itself, by topic: texts of the project, without any model.

Figures are placeholders (`$figures`): they stand in the files of the models and are filled in from
there.
"""

ABOUT = {
    "abilities": (
        "Unmask searches a collection of images and videos for a person and says which of them "
        "look forged. It compares two faces, shows where on a face signs of forgery lie, "
        "describes a picture with its quality, its metadata and the impression of a network that "
        "looks at it, and explains every hit by its measurements. Hits can be filtered, sorted, "
        "marked with your own decision and exported as a report."
    ),
    "accuracy": (
        "$figures Every verdict can be wrong, and figures from one set of pictures promise nothing "
        "about another. `unmask detectors` lists what was measured for each detector."
    ),
    "method": (
        "Two questions are measured for every face: does it show the query person, and was it "
        "forged? Detectors and face recognition give scores, calibration turns them into "
        "probabilities, and one fixed rule turns the probabilities into a verdict. Between its two "
        "thresholds the rule answers inconclusive. The language model only calls tools and words "
        "results; it cannot write a verdict or a number."
    ),
    "limits": (
        "No forgery found does not mean that a picture is authentic: forgeries by unknown methods, "
        "and strong compression, can pass unnoticed. Small, blurred or covered faces may not be "
        "assessed at all. Look-alikes can read as the same person, and an authentic photo can read "
        "as forged. A person must check every hit."
    ),
    "privacy": (
        "Everything stays on this machine: photos, galleries, cases and models. The one exception "
        "is a chat model on a server: if its address is configured, questions and pictures of the "
        "conversation go to that server. Files of cases can be read by their owner only, and "
        "`unmask lock` encrypts them. Faces of other people in a picture are shown blurred. To "
        "delete what is stored about a person, run `unmask forget --person PHOTO`: it lists each "
        "face with its certainty and asks first; `--image`, `--case` and `--gallery` delete one of "
        "these."
    ),
    "law": (
        "This is no legal advice. A verdict is a reason to look, and no proof. Keep the original "
        "files unchanged, with their hashes and the case record, which shows later changes. Ask a "
        "lawyer before you accuse anybody, publish a result or rely on it in court."
    ),
    "indexing": (
        "A gallery is filled with `unmask index FOLDER`, or on the page with the panel “Add images "
        "and videos to this gallery”. Files that are already in it cost nothing, and an "
        "interrupted run continues where it stopped. Unusable files are skipped and listed with "
        "the reason."
    ),
}
"""The topics and their texts."""

FITTED = "The verdict rule was set with pictures of $persons persons."
MISSED_MEANS = (
    "It was then tested, beside photos of the person, on forgeries that no part had learnt from; "
    "one is missed if its verdict is no forgery found."
)
ACCUSED = (
    "Of $photos authentic photos of the searched person, $accused called an impersonation; of 100 "
    "others, up to $most may be (here and below: at 95 % confidence)."
)
ACCUSED_EARLIER = "This was measured on $date with earlier weights, and not yet with these."
ACCUSED_UNKNOWN = "How many authentic photos are called an impersonation was not measured."
MISSED = "Of $forgeries $kind, $missed missed; of 100 others, up to $most may be."
NOT_TESTED = "How many forgeries of unknown kinds it misses was not measured."
ERROR_LIMIT = (
    "The threshold was set so that at most $percent of 100 authentic faces of a new person read as "
    "forged, if the people are like those of the test."
)
NOT_FITTED = "The models in use are not calibrated: there are no verdicts, and no figures for them."
"""Sentences with figures, for `accuracy`."""
