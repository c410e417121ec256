"""What measures and verdicts mean, in a sentence each: the only definitions that are shown."""

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "E1": "E1 measures the similarity of the face to the query photos: it says whom the face "
    "depicts, not where the photo comes from",
    "E2": "E2 measures the forgery score of the face: filters and heavy compression can raise it",
    "E3": "E3 measures how much nearer the face lies to known forged faces than to authentic ones",
    "E4": "E4 measures the forgery score of the whole image: a small forged face changes it little",
    "E5": "E5 measures how much nearer the image lies to known forged images than to authentic "
    "ones",
    "E6": "E6 measures the forgery score beside that of the query photos, which are taken as "
    "authentic",
    "E7": "E7 measures how alike the face looks to the query photos: light and age change it too",
    "E8": "E8 says whether the image is proven to be the same photograph as a query photo",
    "E9": "E9 measures the distance between the eyes: how much detail the other measures had",
    "E10": "E10 is the forgery mark in the metadata: anyone can add or strip it",
    **{
        f"E{number}": f"E{number} measures the signs of forgery at the {place}"
        for number, place in enumerate(
            ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary"), 11
        )
    },
    "E18": "E18 measures how often the verdict stays in mild retakes: steady is not right",
    "E19": "E19 measures the artefact score of the face by a network that learnt to find swaps",
    "E20": "E20 measures the identity similarity by a second embedder of another family",
    "E21": "E21 measures how far the identity similarity lies above the second embedder's",
    "E22": "E22 measures the inner face against the outer one, weighed by the query photos",
    "E23": "E23 measures how far each place of the face lies from those of the query photos",
    "E24": "E24 measures the strongest sign of forgery in a part of the image",
    "E25": "E25 is the chat model's own opinion, which takes no part in the verdict",
    "E26": "E26 measures how much the face differs from the same photograph, beside what surrounds "
    "it",
    "E27": "E27 measures how much of the aligned query photo agrees, outside the face",
    "E28": "E28 counts the local features that agree on the alignment: it proves nothing alone",
    "E29": "E29 is the number of the query photo whose alignment was proven",
    "E30": "E30 measures how much the face changed since the same photograph, beside its "
    "surroundings",
    "P1": "P1 is the calibrated probability that the face is the query person's",
    "P2": "P2 is the calibrated probability that the face was forged",
    "P3": "P3 is the calibrated probability that the image impersonates the query person",
    "S1": "S1 counts the faces that the latest search compared",
    "S2": "S2 counts the faces with the verdict impersonation",
    "S3": "S3 counts the faces with the verdict inconclusive",
    "S4": "S4 counts the faces with the verdict no forgery found",
    "S5": "S5 counts the faces with the verdict copy",
    "S6": "S6 counts the faces with the verdict other",
    "S7": "S7 counts the faces with the verdict not assessed",
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
    "copy": "the verdict copy means that the image is a query photo itself, as far as was measured",
    "other": "the verdict other means that a face most likely shows another person",
    "not_assessed": "the verdict not assessed means that a face could not be measured well enough",
}
