"""What an assistant may say that states nothing about anything measured: the project's own words.

A sentence of a model that is one of these passes the checker as it stands. None of them says
what a photo or a hit shows, how many there are, or what was found.
"""

ASK_PHOTO = "Please give me a photo of the person first. Then I can search the gallery."
PHOTO_FIRST = "Please give me a photo of the person first."
SEARCH_FIRST = "Ask me to search the gallery for the person in your photo first."
ANOTHER_PHOTO = "Please give me another photo."
INTRODUCTION = "Hello, I am Unmask. I am Unmask."
GREETING = (
    "Hello. Give me a photo of a person, and I search your gallery for forged images of them."
)
THANKS = "You are welcome. Ask me about any hit."
SORRY = "Sorry. I cannot do that."
ABILITIES = (
    "I search your gallery for forged images of a person, explain each hit, compare faces and show "
    "where signs of forgery lie. Give me a photo to begin."
)
RELIABILITY = (
    "Verdicts come from a fitted rule with calibrated probabilities, and each of them can be "
    "wrong. A person must check every hit."
)
OUTSIDE = (
    "That is outside my job. I search a gallery for forged images of a person and explain what was "
    "measured."
)
BY_PHOTO = (
    "I know people by their photos, not by their names. Attach a photo of the person, and I search "
    "the gallery for them."
)
NOT_SEEN = (
    "I do not see what the tabs Check a photo and Compare two photos show. Attach the photo here, "
    "and I look at it."
)
UNANSWERABLE = (
    "My tools do not measure that. They measure whether a face is the query person's and whether "
    "it was forged."
)
OBEDIENCE = "I follow the measurements, not such text. Verdicts come from the tools."
ADD_IMAGES = (
    "Add images under “Add images and videos to this gallery” on the page, or with "
    "`unmask index DIR`."
)
ASK_AGAIN = "Then ask me again."
WHICH_FACE = "Which face do you mean, counted from left to right?"
WHICH_HIT = "Which hit do you mean?"
WHICH_FOLDER = "Which folder do you mean?"
WHICH_DATE = "Which date do you mean?"
UNSURE = (
    "I am not sure what you ask for. Ask why a hit got its verdict, where it looks forged, how it "
    "compares with your photo, or which hits have a verdict. You can also ask about this program "
    "and its accuracy, how data is deleted, or for a report."
)
WHICH_AUTHENTIC = "Which of the photos is known to be authentic?"
OFFERS = (
    "Shall I explain a hit? Shall I compare two faces? Shall I show where signs of forgery lie? "
    "Shall I search the gallery again? Ask me why a hit got its verdict."
)
WARNING = "Mind the warning on the screen."
NO_PROOF = "A verdict is a reason to look, not a proof."

VERDICTS_STAY = "No verdict changes."
"""For the application, about decisions of the user."""

NOTHING_CHANGED = "Nothing was changed."
NOT_GENUINE = (
    '"No forgery found" is no proof that a picture is genuine: forgeries by methods that nobody '
    "tested can pass."
)
DECIDES_NEITHER = "Inconclusive means that the measurements decide neither way."
NOT_DELETED = (
    "Nothing was deleted: I never delete files, and hiding only leaves a hit out of the list of "
    "this case. `unmask forget --image FILE` takes a picture out of all galleries and cases; your "
    "own file stays, so delete it yourself, too, or indexing it again brings it back."
)
NO_VERSIONS = "None of them is proven to be the same photograph as another picture."
NO_SUCH_PHOTO = "No listed hit and no photo of yours is called {name}."
NOT_SEARCHED = "I did not search again."
NAME_PHOTOS = 'To search with others, name them: "search with Q1".'
ATTACH_PHOTO = (
    "Attach a further photo of the person here, if you know that it is authentic, and I search "
    "with all of them."
)
NO_ORIGINAL = (
    "No original of {hit} was found among the photos at hand, which are yours and those of the "
    "gallery."
)
WHICH_OF_THEM = (
    "I cannot tell which hits {words} are. Name them by their numbers, by a verdict such as copies "
    "or fakes, or by whole file names."
)
LIST_KEPT = "The list keeps all hits."
NO_SUCH_NAME = "The file name of no listed hit contains {word}."
LEAVE_OUT = (
    "Which hits shall I leave out? I know them by their numbers, by a verdict such as copies or "
    "fakes, and by whole file names."
)
ONE_BY_ONE = "Hits are marked one by one, and each mark can be undone."
SAME_QUESTION = "These probabilities answer the same question:"
NOT_RANKED = (
    "They cannot be ranked, because probabilities that answer different questions do not compare:"
)
ALSO_POSSIBLE = UNSURE[UNSURE.index("You can also") :]
A_DECISION = (
    "A decision is yours: it changes no verdict and no other hit, stands in the record and in "
    "reports, and can be undone. A hidden hit leaves the list, not the gallery."
)
AS_WHAT = "As what shall I mark it: confirmed, rejected or hidden?"
ORDER_OF_HITS = (
    "The list is ordered by the probability of an impersonation, and copies of your photos come "
    "last."
)
MAY_LACK = (
    "More of those compared can be listed: ask for more hits. A face that was not found, or that "
    "is too small, blurred or altered to be recognised, may be missing."
)
WHOLE_REPORT = "A report holds all hits of the case, with their verdicts and your decisions."
NO_ALL_CLEAR = "This is no all-clear: other verdicts can hide a forgery."
"""For the application, as they stand in its answers."""

TOOL_REFUSED = "The tool could not answer that."
"""For the application, when nothing of a model's answer is left; no model may say it."""

PHRASES = (
    ASK_PHOTO, PHOTO_FIRST, SEARCH_FIRST, ANOTHER_PHOTO, INTRODUCTION, GREETING, THANKS, SORRY,
    ABILITIES, RELIABILITY, OUTSIDE, BY_PHOTO, NOT_SEEN, UNANSWERABLE, OBEDIENCE,
    ADD_IMAGES, ASK_AGAIN, WHICH_FACE, WHICH_HIT, WHICH_FOLDER, WHICH_DATE, UNSURE, WHICH_AUTHENTIC,
    OFFERS, WARNING, NO_PROOF,
)  # fmt: skip
"""All of them; the checker takes each sentence by itself."""

LEADS = (
    "in short", "in sum", "overall", "in detail", "here is what was measured", "note", "note that",
    "please note", "please note that", "i searched the gallery", "i searched the gallery again",
    "i compared them", "i compared the two faces", "i measured it", "measured so far", "also",
    "besides", "in addition", "moreover", "furthermore", "first", "next", "then", "finally",
    "however", "by contrast", "on the other hand", "by the measurements",
    "according to the measurements", "in the latest search", "for comparison", "the evidence",
    "the reasons", "the result", "the results", "in summary",
)  # fmt: skip
"""What may stand before the first citation of a sentence; nothing that denies, doubts or claims."""

JOINTS = (
    "and", "but", "while", "whereas", "yet", "and also", "but also", "though", "although",
    "as well as", "with", "also",
)  # fmt: skip
"""What may stand between two citations, beside punctuation."""
