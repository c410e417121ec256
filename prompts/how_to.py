"""Questions and orders about the application: the words that ask, and what it answers, by topic.

What is done elsewhere or not at all has an answer here; what depends on the case is planned in
`assistant.agent.requests.plans.how_to`.
"""

_ACT = r"(?:confirm|reject|dismiss|hid|remov|drop|mark|unmark|undo|delet|export)(?:e|ing|ping)?"
_REPORT = r"(?:reports?|exports?|pdfs?|csv|spreadsheets?|bundles?)"
_ONES = r"(?: (?:one|ones|hits?|pictures?|images?|photos?))?"
_ASKED = (
    r"^\W*(?:(?:and|so|but|please|then|kindly|(?:can|could|would|will) (?:you|i|we)|"
    r"how (?:do|can) i)\W+)*"
)
_PLACED = r"(?:is|are|was|were|comes?|stands?|ranks?|ranked|listed|placed)"
_RESULTS = r"(?:cases?|reports?|results?|findings|list|evidence|this|it|them|everything|bundle)"

WORDS = {
    "advice": rf"\b(?:should|shall|must) (?:i|we)\b.{{0,20}}\b{_ACT}\b|"
    rf"\bwhat\b.{{0,30}}\b(?:if|when) "
    rf"(?:i|we|you)\b.{{0,15}}\b{_ACT}\b|\bwhat (?:does|would) {_ACT}\b.{{0,30}}\b(?:do|change|"
    rf"mean)",
    "as_what": r"^(?!.*\b(?:why|where|put|you)\b).*\bmark (?:it|this|that|them|these|those|"
    r"h ?\d+|(?:hit|"
    r"number) \d+)\s*(?:too|also|then|please|pls|now)*\W*$",
    "complete": rf"{_ASKED}(?:is|are|was|were) (?:(?:the|this|that|these|it|those|my|your|list|"
    rf"hits|"
    r"results?|search|here) )*(?:complete|exhaustive|all|everything|anything missing)(?: (?:of|"
    r"them|it|"
    r"there|is|are|was|that|you|found|have|hits|the))*\W*$"
    r"|\b(?:did|do|could|might) (?:you|it|the search) (?:\w+ )?(?:miss|overlook)(?:ed)? \w+\?",
    "leading": rf"{_ASKED}(?:which|what){_ONES}(?:'s| is) the (?:strongest|clearest|likeliest|"
    rf"most likely|"
    rf"worst)(?: \w+)?\W*$|\b(?:which|what){_ONES}\b.{{0,20}}\b(?:look|check|review|begin|"
    rf"start|examine|"
    r"open|read)\b.{0,15}\b(?:first|with)\W*$|\b(?:which|what)\b.{0,20}\bmost (?:urgent|"
    r"pressing)\b",
    "ranked": rf"\b(?:why|how come)\b.*\b{_PLACED}(?: (?:h ?\d+|hit \d+|it|this|that|"
    rf"they))? (?:first|"
    r"last|so (?:high|low) (?:up|down|in|on)|above(?! \d)|below(?! \d)|ahead of|behind|(?:at|"
    r"on) (?:the )?"
    r"(?:top|bottom|end))\b",
    "counts": rf"\b(?:summar(?:y|i[sz]e)|sum up|overview|recap|"
    rf"tl;?dr)\b(?!.*\b{_REPORT}\b)(?=(?: (?:of|the|"
    r"all|what))*(?: (?:this|these|results?|findings|outcome|search|hits|list|came out)\b)"
    r"(?!.*\b(?:rules|prompt)\b)(?! (?!for|in|please|now|and|so)\w))",
    "send": rf"{_ASKED}(?:share|send|e-?mail|forward)\b(?!.*\b(?:csv|json|html|zip|"
    rf"pdf)\b).{{0,25}}\b"
    rf"{_RESULTS}\b|\bgive \w+ access\b",
    "delete_report": rf"\b(?:delete|remove|erase|discard|throw away)\b.{{0,12}}\b{_REPORT}\b",
    "rename": r"\b(?:(?:re)?name|call) (?:the|this|my) (?:case|investigation)\b"
    r"|\bname (?:of|for|to) (?:the|this|my) (?:case|investigation)\b"
    r"|\b(?:case|investigation)(?:['’]s)? (?:a )?(?:new |different )?name\b",
    "other_gallery": r"\b(?:other|another|different|second|switch|change)\b.{0,15}\bgaller(?:y|"
    r"ies)\b|"
    r"\bwhich galler(?:y|ies)\b",
    "groups": r"\b(?:bias(?:ed)?|racis[tm]|sexist|discriminat\w+)\b|\b(?:works?(?! out)|"
    r"accura\w+|reliab\w+|well|better|"
    r"worse|errors?|mistakes?)\b.{0,40}\b(?:women|men|black(?! and)|asians?|african|dark|"
    r"children|kids|elderly|old people|"
    r"ethnic\w*|skins?|genders?|races?|minorit\w+)\b",
    "online": r"\b(?:search|look|check|scan|find|crawl|google)\b.{0,40}\b(?:internet|web|"
    r"online|google|"
    r"facebook|twitter|instagram|tiktok|youtube|social media)\b|\breverse image search\b",
    "threshold": r"\b(?:set|change|lower|raise|adjust|tighten|relax|with|increase|"
    r"reduce)\b.{0,20}\b"
    r"(?:threshold|cut-?off|sensitivity)\b|\b(?:more|less) (?:strict|sensitive)\b|\bstricter\b",
    "video": rf"{_ASKED}(?:can|could|do|does|how|"
    rf"what about)\b(?! \w+ again).{{0,40}}\bvideos?\b.{{0,30}}\b(?:analy[sz]ed?|"
    rf"search(?:ed)?|check(?:ed)?|support(?:ed)?|handled?|process(?:ed)?|work|as well|too)\b|"
    rf"{_ASKED}"
    r"(?:analy[sz]e|search|check|scan|look)\b(?! again).{0,30}\bvideos\b",
    "speed": r"\bhow (?:long|fast|quick\w*) (?:does|do|will|would|can)\b.{0,40}\b(?:takes?|"
    r"search\w*|run)\b",
    "model": r"\b(?:are|r) (?:you|u)\b.{0,15}\b(?:chat ?gpt|gpt-?\d*|claude|gemini)\b|"
    r"\b(?:which|what) "
    r"(?:language |ai |chat )?model (?:are|do) you\b",
}  # fmt: skip
"""Regular expressions, for any case of letters; the first that fits. A summary is one of counts."""

ANSWERS = {
    "send": (
        "I send nothing to anybody. Ask me for a PDF or a bundle, and pass the file on yourself. "
        "On a server with accounts, a case is shared in the list of cases or with `unmask cases "
        "share`."
    ),
    "delete_report": (
        "Nothing was deleted: I never delete files. Reports lie in the folder of the case, where "
        "you can delete them; a new one replaces the last of its format. `unmask forget --case "
        "ID` deletes the whole case."
    ),
    "rename": ("A case gets its name on the Cases tab of the page or with `unmask cases rename`."),
    "other_gallery": (
        "A search stays within one gallery. Choose another one above the chat, or with `unmask "
        "ask --gallery NAME`; `unmask galleries list` names all of them."
    ),
    "groups": (
        "Error rates differ between groups of people, such as by age, sex and ethnicity: `unmask "
        "detectors` lists the measured differences, and a search names the largest."
    ),
    "online": "I search only the gallery on this machine, and nothing online.",
    "threshold": (
        "The thresholds belong to the fitted rule and stay as they are. The list can be limited to "
        'a probability instead: ask for "only those above 90 %".'
    ),
    "video": (
        "Videos in the gallery are searched as well: one frame a second, at most 300 frames. A "
        "video is one hit, which names its strongest moment."
    ),
    "speed": (
        "I have not measured that on this machine. It depends on the machine, the number of faces "
        "and how many hits are looked at closely; `evals/CAPACITY.md` has measured times."
    ),
    "model": (
        "I am Unmask. A language model only reads what you ask for; measurements and a fixed rule "
        "make the verdicts. `unmask doctor` names the models in use."
    ),
}
"""What the application says."""
