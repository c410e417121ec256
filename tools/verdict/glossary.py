"""Glossary of measures, verdicts and terms, a sentence or two each: the only definitions shown.

`MEANINGS` are clauses that a text cites as `[about.E2]`; `GLOSSARY_SECTIONS` are the terms on the
screens, looked up by `tools.verdict.term_lookup`.
"""

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "E1": "E1 measures the similarity of the face to the query photos: it says whom the face "
    "depicts, not where the photo comes from",
    "E2": "E2 measures the forgery score of the face: filters and heavy compression can raise it",
    "E3": "E3 measures how much nearer the face lies to known forged faces than to authentic ones",
    "E4": "E4 measures the forgery score of the whole image: a small forged face changes it little",
    "E5": "E5 measures how much nearer the image lies to known forged images than to authentic "
    "ones",
    "E6": "E6 measures how far the forgery score lies above that of the query photos, which are "
    "taken as authentic",
    "E7": "E7 measures how alike the face looks to the query photos: light and age change it too",
    "E8": "E8 says whether the image is proven to be the same photograph as a query photo",
    "E9": "E9 measures the distance between the eyes: how much detail there was to measure",
    "E10": "E10 is the forgery mark in the metadata: anyone can add or strip it",
    **{
        f"E{number}": f"E{number} measures the signs of forgery at the {place}"
        for number, place in enumerate(
            ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary"), 11
        )
    },
    "E18": "E18 measures how often the verdict stays the same in mild retakes: a wrong verdict can "
    "be steady too",
    "E19": "E19 measures the artefact score of the face by a network that learnt to find swaps",
    "E20": "E20 measures the identity similarity by a second embedder of another family",
    "E21": "E21 measures how far the identity similarity lies above the second embedder's",
    "E22": "E22 compares the inner face with the outer one, weighted by the query photos",
    "E23": "E23 measures how far each place of the face is from the query photos",
    "E24": "E24 measures the strongest sign of forgery in a part of the image",
    "E25": "E25 is the chat model's own opinion, which takes no part in the verdict",
    "E26": "E26 measures how much more the face differs from the same photograph than what "
    "surrounds it",
    "E27": "E27 measures how much of the image outside the face agrees with the aligned query "
    "photo",
    "E28": "E28 counts the local features that agree on the alignment: it proves nothing alone",
    "E29": "E29 is the number of the query photo whose alignment was proven",
    "E30": "E30 measures how much more the face changed since the same photograph than its "
    "surroundings",
    "E31": "E31 measures manipulation and synthesis together, on the pretrained CLIP tower",
    "E32": "E32 measures whether the face was manipulated, on the pretrained CLIP tower",
    "E33": "E33 measures whether the whole face was synthesised, on the pretrained CLIP tower",
    "E34": "E34 says whether the same photograph is proven to exist with another face, so that one "
    "of the two was altered",
    "E35": "E35 measures how much of the image outside the face agrees with the other version",
    "E36": "E36 measures the similarity of the face to the one in its place in the other version",
    "E37": "E37 measures how much more forged the face scores than that of the other version",
    "E38": "E38 measures how noisy the face is: noise makes every detector read a face as more "
    "authentic, so that nothing found in a very noisy face clears it",
    "E39": "E39 measures how strongly the edges of JPEG's blocks stand out in the face: strong "
    "compression removes the traces of a forgery, so that nothing found then clears it",
    "E40": "E40 measures how strongly JPEG's blocks stand out in a face that was resized after the "
    "compression, which removes the traces of a forgery all the same",
    "P1": "P1 is the calibrated probability that the face is the query person's",
    "P2": "P2 is the calibrated probability that the face was forged",
    "P3": "P3 is the calibrated probability that the image impersonates the query person",
    "S1": "S1 counts the images and videos that the latest search compared",
    "S2": "S2 counts the images and videos with the verdict impersonation",
    "S3": "S3 counts the images and videos with the verdict inconclusive",
    "S4": "S4 counts the images and videos with the verdict no forgery found",
    "S5": "S5 counts the images and videos with the verdict copy",
    "S6": "S6 counts the images and videos with the verdict other",
    "S7": "S7 counts the images and videos with the verdict not assessed",
    "S8": "S8 lists all counts of the latest search",
    "G1": "G1 counts the images in the gallery",
    "G2": "G2 counts the faces in the gallery",
    "G3": "G3 counts the images without a face",
    "G4": "G4 counts the files that were skipped",
    "impersonation": "the verdict impersonation means that a face most likely shows the query "
    "person and was most likely forged",
    "inconclusive": "the verdict inconclusive means that the measurements do not allow a decision",
    "no_forgery_found": "the verdict no forgery found means that a face most likely shows the "
    "query person and nothing measured stands out, which does not prove that it is authentic",
    "copy": "the verdict copy means that the image is a query photo itself, unaltered as far as "
    "was measured",
    "other": "the verdict other means that a face most likely shows another person",
    "not_assessed": "the verdict not assessed means that a face could not be measured well enough",
}


_Rows = tuple[tuple[str, str], ...]
"""Terms with their meanings; further names of a term follow after `|`."""

_VERDICT_TERMS: _Rows = (
    (
        "impersonation",
        "Verdict: the face most likely shows the query person and was most likely forged. It is a "
        "reason to look, not proof, and it does not say who made the forgery.",
    ),
    (
        "inconclusive|uncertain",
        "Verdict: the measurements do not allow a decision. A probability lies in the hatched band "
        "of its axis, or a small change of the picture turns the verdict around.",
    ),
    (
        "band|inconclusive band|hatched",
        "The hatched part of an axis: probabilities in which pictures with known answers were "
        "mixed up too often to decide.",
    ),
    (
        "no forgery found",
        "Verdict: the forgery probability lies below the inconclusive band, and the face most "
        "likely shows the query person, if there is one. It never means authentic: forgeries can "
        "be missed.",
    ),
    (
        "forged",
        "The probability that a face was altered or generated. As a verdict: it lies above the "
        "inconclusive band, and no photo of the person was given; a reason to look, not proof.",
    ),
    (
        "judged by itself",
        "What the forged axis answers here: whether the face was forged, from its picture alone. "
        "Probabilities that answer different questions do not compare.",
    ),
    (
        "beside the query photos",
        "What the forged axis answers here: whether the face was forged, compared with the query "
        "photos, too.",
    ),
    (
        "as an altered query photo",
        "What the forged axis answers here: whether the face was altered since the query photo, "
        "which is proven to be the same photograph.",
    ),
    (
        "as one of two versions",
        "What the forged axis answers here: whether it was this picture that was altered, of two "
        "versions of one photograph with different faces.",
    ),
    (
        "no sign of forgery",
        "Reading of the forgery probability: it lies below the inconclusive band.",
    ),
    (
        "copy|same photograph",
        "Verdict: the image is a query photo itself, re-uploaded, cropped or re-encoded. Identical "
        "files or the alignment of the two pictures prove it, and no alteration was measured.",
    ),
    (
        "other|another person",
        "Verdict: the face most likely shows another person. Whether that picture was forged does "
        "not matter for this search.",
    ),
    (
        "not assessed",
        "No verdict: the face is too small, blurred or turned to be measured, or a measurement is "
        "missing.",
    ),
    (
        "not measured",
        "There is no value. It does not mean zero, and it counts neither for nor against a "
        "forgery.",
    ),
    (
        "not calibrated",
        "A value was measured, but there is no reference that says what is high or low for it.",
    ),
    (
        "verdict",
        "The decision of a fixed rule about one face. The rule was fitted on pictures with known "
        "answers; no language model takes part in it.",
    ),
)

_SCENE_TERMS: _Rows = (
    ("gallery", "The collection of images and videos that is searched."),
    (
        "query|query photo|query person",
        "The authentic photos of the person you search for. Unmask takes them as authentic; it "
        "cannot prove that they are.",
    ),
    ("hit", "An image or video of the gallery that a search ranked and measured."),
    (
        "handle",
        "A short name on the screen: Q1 is a query photo, H1 a hit, C1 a comparison of two faces. "
        "H1.E2 is measurement E2 of hit H1.",
    ),
    ("Q1|Q2", "The first query photo; Q2 is the second, and so on."),
    (
        "H1|H2|H3",
        "The first hit of the latest search. After another search, H1 can be another image.",
    ),
    ("C1|C2", "The first comparison of two faces; C2 is the second, and so on."),
    (
        "evidence",
        "The numbered measurements of a hit: E1, E2 and so on. E2 is the same kind of measurement "
        "for every hit.",
    ),
    (
        "profile|pocket|full",
        "The set of models in use. pocket comes with Unmask; full is larger and is downloaded when "
        "you ask for it.",
    ),
    (
        "case",
        "The record of one investigation: questions, tool calls, results and private copies of "
        "the photos. Its steps are chained and signed, so later changes show.",
    ),
)

_FORGERY_TERMS: _Rows = (
    (
        "forgery|deepfake|fake",
        "A picture of a face that was altered or generated. The forged axis shows the probability "
        "of that.",
    ),
    (
        "authentic|genuine",
        "Not altered. Unmask never states this of a picture; it can only fail to find a forgery.",
    ),
    ("swap|face swap", "A forgery that puts one person's face on the picture of another person."),
    (
        "other version|original|proof by the original",
        "The same photograph with another face in one place: at least one of the two was altered. "
        "Their forgery scores judge which; where these are too close, neither is accused.",
    ),
    (
        "partial swap",
        "A face swap of a part only, for example the eyes or the mouth.",
    ),
    ("morph", "A forgery that blends the faces of two people into one that resembles both."),
    (
        "look-alike",
        "Another person whose face resembles the query person. A look-alike or a relative can "
        "reach a high identity similarity.",
    ),
    (
        "artefact",
        "A trace that editing leaves behind, for example a seam, a blend border or a repeated "
        "texture.",
    ),
    (
        "forgery mark",
        "A note in the metadata that says Unmask made the picture as a forgery. Anyone can add or "
        "remove it, so it takes no part in the verdict.",
    ),
)

_MEASURE_TERMS: _Rows = (
    (
        "embedding|embedder",
        "An embedder is a network that turns a face into a list of numbers, the embedding. Photos "
        "of one person get similar lists.",
    ),
    (
        "cosine similarity|cosine",
        "How similar two lists of numbers are: 1 is the same, around 0 is unrelated.",
    ),
    (
        "identity similarity",
        "The cosine similarity of a face to the faces of the query photos. It is high for photos "
        "of one person, and can be high for look-alikes.",
    ),
    (
        "appearance similarity",
        "How much two face crops look alike to the encoder. Light, age and camera change it as "
        "well as forgery does.",
    ),
    (
        "detector",
        "A measure that scores how forged a picture looks. One that finds faces is called the "
        "face detector.",
    ),
    (
        "encoder|CLIP features|CLIP",
        "CLIP is a network that turns a picture into a list of numbers, its features. Detectors "
        "read forgery from them.",
    ),
    (
        "logit|log-odds",
        "A raw score on a scale without limits. Higher means more forged; only calibration turns "
        "it into a probability.",
    ),
    (
        "points",
        "The unit of a detector's raw score, which has no natural scale. Compare it with authentic "
        "photos: the share of them that score lower stands beside it.",
    ),
    (
        "distance|squared distance",
        "How far two lists of numbers are from each other: 0 is the same, higher is farther.",
    ),
    (
        "cosine distance difference",
        "How much nearer one group of pictures is than another, in cosine distance. Above 0 the "
        "known forgeries are nearer.",
    ),
    (
        "grey level|grey levels",
        "The steps of brightness in a picture: 0 is black, 255 is white.",
    ),
    ("px|pixel", "Pixels, the smallest dots of a picture."),
    ("times", "How many times as large one value is as another; 1 means equal."),
    (
        "log ratio",
        "How many times larger one value is than another, on a scale where 0 means equal.",
    ),
    (
        "forgery score|artefact score",
        "The raw output of a detector. Higher means more forged, compared with other pictures.",
    ),
    (
        "heat map",
        "A map over the face: red places raised the forgery score most, yellow ones less, grey "
        "ones not. It shows something only where it is stronger than on 95 % of authentic photos.",
    ),
    (
        "Grad-CAM|attention rollout",
        "A method that shows which places raised a network's score. Bright places need not be "
        "where the picture was changed.",
    ),
    (
        "distance map",
        "A map over the face: brighter places differ more from the query photos. Light and age "
        "make a difference too.",
    ),
    (
        "picture map",
        "A map over the whole picture: brighter places look more forged, outside the face too.",
    ),
    (
        "artefact boxes",
        "Boxes that a detector drew around places with artefacts.",
    ),
    (
        "retake|retakes|perturbation|closer look|steady",
        "The picture measured again after mild JPEG compression, resizing or blur. A verdict that "
        "such a small change turns around becomes inconclusive.",
    ),
    (
        "aligned face|alignment",
        "A face turned upright, scaled and cut out, so that eyes and mouth always lie at the same "
        "place.",
    ),
    (
        "keypoints|local features|inliers|SIFT|RANSAC",
        "Small distinctive spots that can be found again in another picture (SIFT). RANSAC keeps "
        "those that agree on how the two pictures fit together.",
    ),
    (
        "metadata|EXIF",
        "Text stored in a file beside the picture, such as camera and date. Anyone can change it.",
    ),
    (
        "XMP",
        "A block of text in a file in which software notes who made the picture, with what and "
        "when. Anyone can change it.",
    ),
    (
        "C2PA|content credentials",
        "A signed record in a file of who made it, with what software and from what. A valid "
        "signature shows that the file is as the signer left it, not that the record is true.",
    ),
    (
        "DigitalSourceType|source type",
        "A term of the press's standards body IPTC for how a picture came about, for example "
        "trainedAlgorithmicMedia: created by a trained model. It can be wrong, and anyone can "
        "write it.",
    ),
    (
        "provenance",
        "What a file says about its own origin: content credentials, metadata and traces of "
        "saving. It can be added or removed by anyone, so it has no part in a verdict.",
    ),
    (
        "double compression",
        "A JPEG that was saved again after an earlier compression, as messengers, websites and "
        "screenshots do. By itself it is no sign of forgery.",
    ),
    (
        "impression",
        "What a network names when it looks at a picture, such as a screenshot or blur. It "
        "is not measured and can be wrong, so it has no part in a verdict.",
    ),
    (
        "bank",
        "The known forged and authentic pictures that a new one is compared with.",
    ),
    (
        "correlation",
        "How well two pictures rise and fall together: 1 is perfectly, 0 is not at all.",
    ),
)

_STATISTICS_TERMS: _Rows = (
    (
        "calibrated probability|probability|calibration|calibrated",
        "A probability that was checked on pictures with known answers: of those given 70 %, about "
        "70 % were forged. On other data it can be off.",
    ),
    (
        "likelihood",
        "How well an explanation fits the measurements. Unmask shows probabilities instead, which "
        "also need prior odds.",
    ),
    (
        "prior odds|odds",
        "The odds assumed before looking. Both axes assume one to one; the ranking assumes 1 to "
        "20 that a face is the query person's.",
    ),
    (
        "axis|axes",
        "One of the two questions that a hit is judged by: does the face show the query person, "
        "and was it forged? Each has its own probability.",
    ),
    (
        "same person",
        "Axis: the calibrated probability that the face shows the query person.",
    ),
    (
        "higher than authentic photos|reading|ordinary|raised|high",
        "The share of authentic photos that score lower. A score is called high from 95 % on, "
        "raised from 80 % on, and ordinary below.",
    ),
    (
        "AUC",
        "How well a score separates two groups: 1 is perfect, 0.5 is chance. It is the probability "
        "that a forged picture scores higher than an authentic one.",
    ),
    (
        "EER",
        "Equal error rate: the error where false alarms and misses are equally frequent. Lower is "
        "better.",
    ),
    (
        "TAR at FAR 1 %|TAR|FAR",
        "The share of true matches accepted when 1 % of strangers are accepted too.",
    ),
    ("rank-1", "The share of searches whose first hit is the right person."),
    (
        "mAP",
        "Mean average precision: how high the right images stand in a ranked list, 1 at best.",
    ),
    (
        "ECE|calibration error",
        "Expected calibration error: how far probabilities are from what really happened, 0 at "
        "best.",
    ),
    (
        "95 % interval|confidence|95 % confidence",
        "The range in which the true figure probably lies, given how few pictures were measured.",
    ),
)

_CHAT_TERMS: _Rows = (
    (
        "model|chat model",
        "The language model that reads questions and calls the tools. It cannot write a verdict "
        "or a number: the application fills these in.",
    ),
    (
        "fixed wording|plain writer|plain",
        "Sentences that fixed templates wrote from the measurements, without a language model.",
    ),
    ("unchecked", "The chat model's own words. No measurement stands behind them."),
    (
        "tool",
        "A function that measures something, for example searching the gallery or comparing two "
        "faces. Every call is shown in the conversation.",
    ),
)

GLOSSARY_SECTIONS: Mapping[str, _Rows] = {
    "Verdicts": _VERDICT_TERMS,
    "Search": _SCENE_TERMS,
    "Forgeries": _FORGERY_TERMS,
    "Measurements": _MEASURE_TERMS,
    "Statistics": _STATISTICS_TERMS,
    "Conversation": _CHAT_TERMS,
}
"""The terms, in the order displayed."""
