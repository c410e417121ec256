"""What people say to the assistant: a small grammar a request, expanded at random.

`(a|b)` is a choice, nested as deep as one likes, `()` may be empty, `<hit>` is a slot. Every
request has wordings of its own here; the evaluation (`evals/suites/agent/wordings.py`) has others, of which
short ones can coincide, and counts those that this grammar cannot say apart.
"""

from collections.abc import Mapping

PLEASE = "(||||please |could you |can you |would you |hey, |ok, |now |then |and |i'd like you to )"
END = "(|||.|.|?|!| please| please.| now| thanks| for me|, thank you)"
_FAKES = (
    "(fakes|fakes|deepfakes|deep fakes|forgeries|forged (photos|images|pictures)|fake (photos|"
    "images|pictures|ones)|impersonations|manipulated (photos|images|pictures)|doctored images|"
    "faked pictures|impostors|edited photos|face swaps|ai fakes)"
)
_PERSON = (
    "(this person|this man|this woman|this guy|this lady|the person in (this|the|my) "
    "(photo|picture|image)|the one in the photo|her|him|them|me|my client|our boss|this face|"
    "the person shown|this politician|this actress|this individual|my daughter|our ceo)"
)
_FIND = (
    "(find|search for|look for|show me|show|get|list|hunt for|track down|check the gallery for|"
    "search the gallery for|look through the gallery for|are there|do you see|are there any|"
    "is there any|detect|retrieve|scan for|locate all|find all|find me|give me|bring up)"
)

FIND = (
    f"{PLEASE}{_FIND} (|any |all |all the |some |the ){_FAKES} (of|of|of|showing|depicting|"
    f"impersonating|that impersonate) {_PERSON}{END}",
    f"{PLEASE}(find|search|check|look for|run a search for) {_PERSON}{END}",
    "(who|what) (impersonates|pretends to be|is faking|poses as) "
    f"{_PERSON}(| in the gallery| in my collection){END}",
    f"(has|was) {_PERSON} (been |)(deepfaked|faked|forged|impersonated)(| somewhere| anywhere){END}",
    f"(is|are) (somebody|anybody|someone|anyone|people) (impersonating|faking|misusing the face of"
    f"|pretending to be) {_PERSON}{END}",
    f"{PLEASE}(search|go through|check|scan|examine) (the|my|our) (gallery|collection|images|"
    f"archive|library|pictures|folder) (for|with) (this photo|this picture|this face|{_FAKES}){END}",
    f"(any |){_FAKES} (of {_PERSON}|in there|here){END}",
    f"(investigate|start|go|begin|search|find{END}|run it|run the search|check this|what do you "
    f"find|look into it|unmask {_PERSON}|check it out|see what you can find)",
    f"(i think|i believe|i suspect|we think|it seems|i'm afraid) (someone|somebody) "
    f"(faked|is impersonating|made deepfakes of) {_PERSON}(, can you check|. please look|, check{END})",
    f"(here is|this is|i have|here's) (a photo|a picture|my photo|a portrait|her photo|his picture)"
    f"( of {_PERSON}|)(.|,|;) (find the|look for|search for|any|are there|which are the) {_FAKES}{END}",
    f"(i want|i need|we need) (to find |to see |all |every |)(the |){_FAKES} of {_PERSON}{END}",
    f"which (images|photos|pictures|files) (in the gallery |)(fake|impersonate|forge|are {_FAKES} "
    f"of) {_PERSON}{END}",
)

AGAIN = (
    f"(search|look|try|check|scan)(| the gallery) (again|once more|one more time){END}",
    f"(repeat|redo|rerun|run) the (search|query)( again|){END}",
    f"(search|look|check|find {_FAKES}) again(,|;|:|) (i added|there are|we indexed) (new |more |) "
    f"(images|photos|files){END}",
    f"{PLEASE}(update|refresh) the (hits|results|list|search){END}",
)

COMPARE_PHOTOS = (
    f"{PLEASE}compare (<photo> (and|with|to) <other>|my (two |)(photos|pictures)|both photos|"
    f"the two photos i gave you){END}",
    f"(do|are) (<photo> and <other>|both (of |)my photos|my (two |)photos) (show |of |)"
    f"the same person{END}",
)

CANNED_FIND = ("Find fakes of this person.", "find fakes of this person")
CANNED_WHY = ("Why is <hit> <called>?",)
CANNED_COMPARE = ("Compare <hit> with my photo.",)
CANNED_WHERE = ("Where does <hit> look forged?",)
CANNED_SURE = ("How sure are you about <hit>?",)
"""What the buttons of the chat say; with some chance they are said unchanged."""

TOP = (
    f"{PLEASE}(only|just) (|show |give me |list )(the |)(worst|top|first|strongest|most likely|"
    f"clearest|most suspicious|best|highest ranked) <top>(| hits| ones| fakes| results){END}",
    f"{PLEASE}(show|give|list|keep|limit it to|return|display|i want|i only need|let me see) (me |)"
    f"(only |just |)(the |)(worst|top|first|strongest|most likely|clearest|best) <top>"
    f"(| hits| ones| fakes| results| matches| forgeries){END}",
    f"(<top> (hits|results|fakes) (are|is) enough|no more than <top>(| hits| results)|"
    f"at most <top>(| hits| results)|the (worst|top) <top>|top <top>|"
    f"limit (the list|the results|it) to <top>|cut it (down |)to <top>|not more than <top>){END}",
    f"(repeat|redo|do) (that|the search|it)(| again) (with|for|but) (only |just |the top |)<top>"
    f"(| hits| results){END}",
    f"(too many|that is too much|shorter)(,|.|;) (only|just|give me) (the |)(worst|top|first|) "
    f"<top>{END}",
    f"(more|show more|i need more)(:|,) (the |)(top|first|best) <top>{END}",
)

FIND_TOP = (
    f"{PLEASE}{_FIND} (the |)(worst|top|strongest|most likely|clearest|best|first) <top> {_FAKES} "
    f"of {_PERSON}{END}",
    f"{PLEASE}(find|search for|look for) {_FAKES} of {_PERSON}(,|;|.) (only|just|show|at most) "
    f"(the |)(worst |top |first |)<top>{END}",
    f"(the |)(worst|top|first) <top> {_FAKES} of {_PERSON}{END}",
)

WHY = (
    f"(why|how come) is <hit> (a |)(fake|forged|a deepfake|an impersonation|flagged|suspicious|"
    f"listed|there|manipulated|marked|in the list){END}",
    f"(why|how come) (do|did) you (think|say|believe|claim) (that |)<hit> is (a |)(fake|forged|"
    f"an impersonation|genuine|real|authentic|another person|inconclusive|a copy){END}",
    f"{PLEASE}(explain|justify|tell me about|tell me more about|go into|give me details on|"
    f"give reasons for|talk me through|elaborate on|detail) <hit>{END}",
    f"(what|which) (evidence|facts|measurements|reasons|findings) (is|are) there (for|about|on|"
    f"against) <hit>{END}",
    f"(is|was) <hit> (really |actually |truly |)(fake|forged|a deepfake|real|genuine|authentic|"
    f"an impersonation|manipulated|tampered with){END}",
    f"{PLEASE}(check|examine|analyse|analyze|assess|score|verify|inspect|test|look closer at|"
    f"take a closer look at|evaluate) <hit>{END}",
    f"(what|how) (about|is wrong with|makes) <hit>( suspicious| fake|){END}",
    f"(on what grounds|based on what|by what evidence|what makes you think) (is |that |)<hit> "
    f"(is |)(fake|forged|an impersonation){END}",
    f"{PLEASE}(show|give|list)( me|) (the |)(evidence|proof|measurements|scores|facts|details|"
    f"reasons) (for|of|on|behind) <hit>{END}",
    f"<hit>(:|,|;| -) (why|explain|evidence|reasons|details|is it fake|real or fake){END}",
    f"(i don't believe|i doubt|are you certain about|what supports) <hit>(,|;|:) (why|explain|"
    f"show the evidence|what is the evidence){END}",
    f"(can|could|would|will) you (please |)(explain|clarify|walk us through|break down) <hit> "
    f"(to us|for us|in detail|in plain words|step by step|properly|a bit more|to my client){END}",
    f"(explain|clarify) <hit> (to us|in simple words|to a layman|again|to the jury){END}",
    f"{PLEASE}(run through|spell out|set out|summarise|recap|sum up|present|unfold|describe) the "
    f"(evidence|findings|measurements|reasoning|grounds|case|arguments|proof) (for|on|about|behind|"
    f"against|concerning) <hit>{END}",
    f"(i'm not convinced|i have trouble believing it|i am sceptical|hard to believe|really|i need "
    f"convincing)(:|,|.|;) (what did you measure on|what do you have on|what stands against|why flag|"
    f"what do you base it on for|where is the evidence for) <hit>{END}",
    f"(what|which (signs|clues|traces|results|numbers|tests)) (give|gave|speak|spoke|point|led) "
    f"(<hit> away|against <hit>|to <hit>|you to <hit>|to forgery in <hit>){END}",
    f"(the verdict on|your judgement of|your opinion on|the assessment of) <hit>(:|,|;| -) (why|on "
    f"what basis|how come|what is it based on|please explain|give the reasons){END}",
    f"(has|was) <hit> (been |)(forged|manipulated|faked|tampered with|altered)(, or not| or is it "
    f"real| or genuine|, what do you think|){END}",
    f"(my (boss|client|editor|lawyer|colleague)|the (court|editor|client|team)) (wants to know|asks|"
    f"needs to see|will ask) (why <hit> is (fake|forged|flagged)|what speaks against <hit>|what the "
    f"evidence for <hit> is){END}",
)

COMPARE = (
    f"{PLEASE}compare <hit> (with|to|against|and) (my photo|the query|my picture|<photo>|"
    f"the photo i gave you|the original|the photo|the query photo|my image|the reference){END}",
    f"{PLEASE}compare (my photo|the query|<photo>|my picture|the query photo) (with|to|against|"
    f"and) <hit>{END}",
    f"(does|do) <hit> (look like|match|resemble|show the same face as|fit) (my photo|<photo>|"
    f"the query|the original|the person i gave you|my picture){END}",
    f"(how (similar|close|alike) (is|are)|what is the similarity of) <hit> (to|and|with) "
    f"(my photo|<photo>|the query|my picture|the query photo){END}",
    f"{PLEASE}(put|hold|set|lay) <hit> (beside|next to|against) (my photo|<photo>|the query){END}",
    f"(is|are) <hit> and (my photo|<photo>|the query) (the same|one and the same|alike|"
    f"the same person|the same photograph){END}",
    f"(face comparison|comparison|side by side) (of|for|between) <hit> (and|with) "
    f"(my photo|<photo>|the query){END}",
    f"<hit> (against|versus|or rather vs) (my (picture|image)|<photo>|the query photo)(:|,|;) (same "
    f"(person|face)|a comparison|how close|do they match){END}",
    f"{PLEASE}(check|see|verify|test) (whether|if) <hit> (is|shows|has) the (face|person) (of|in|from) "
    f"(my photo|<photo>|the query photo|my picture){END}",
)

COMPARE_TWO = (
    f"{PLEASE}compare <hit> (with|to|against|and) <other>{END}",
    f"(are|do) <hit> and <other> (the same person|show the same person|the same|match|alike|"
    f"show the same face|look alike|one person){END}",
    f"(is|does) <hit> (the same person as|show the same person as|match|like) <other>{END}",
    f"(how (similar|alike) are) <hit> and <other>{END}",
    f"{PLEASE}(put|hold|set) <hit> (beside|next to|against) <other>{END}",
)

WHERE = (
    f"(where|in which (place|part|region|area)) (does|did) <hit> (look|seem|appear) (forged|fake|"
    f"manipulated|edited|altered){END}",
    f"(where|which part|which region|what part|which area) (is|of) <hit> (is |was |)(forged|fake|"
    f"manipulated|edited|altered|tampered with|suspicious){END}",
    f"{PLEASE}(locate|localise|localize|point out|mark|highlight|map|show me) the (artefacts|"
    f"artifacts|forgery|manipulation|forged (part|region|area)|fake parts|traces) (in|of|on) "
    f"<hit>{END}",
    f"{PLEASE}(show|give)( me|) (a |the |)(heat ?map|map|artifact map|regions) (of|for) <hit>{END}",
    f"(what|which) (regions|parts of the face|features|areas) (of|in) <hit> (are|look|were) "
    f"(suspicious|forged|fake|altered|manipulated){END}",
    f"(is|was) the (mouth|nose|skin|left eye|right eye|face boundary|eyebrow|face) (of|in) <hit> "
    f"(forged|edited|fake|altered|manipulated|swapped){END}",
    f"<hit>(:|,|;) where(| is it forged| exactly| does it show){END}",
    f"(where can|how can) i see (that |the forgery in |it in )<hit>( is fake|){END}",
    f"(where|what) (was|has been) (edited|altered|changed|forged|manipulated) in <hit>{END}",
    f"(at|around|in) (which|what) (spot|place|part|feature|zone)(s|) (is|was) <hit> (worked on|"
    f"touched up|painted over|changed|forged|altered){END}",
    f"{PLEASE}(outline|circle|trace|find|show) (what was (changed|forged|edited)|the (edit|edits|"
    f"tampering|retouching|swap)) (in|on) <hit>{END}",
)

SURE = (
    f"how (sure|certain|confident) are you (about|of|on|with|that) <hit>( is fake| is forged|){END}",
    f"(what is|what's|tell me|give me) (the |your )(probability|confidence|certainty|likelihood|"
    f"chance) (for|of|that|about) <hit>( is fake| is forged|){END}",
    f"(how|are you) (likely is|sure about|certain about|confident about) <hit>( to be fake|){END}",
    f"(can|could|should) (i|we) (trust|rely on|believe) (that |the verdict on |the verdict for |)"
    f"<hit>{END}",
    f"<hit>(:|,|;) (how sure|how certain|how confident|how likely|are you sure){END}",
    f"(is|would) (that|the verdict) (certain|reliable|definitive|sure) (for|on|about) <hit>{END}",
)

SAME_PERSON = (
    f"(is|does) <hit> (really |actually |)(the same person|show the same person|the person i am "
    f"looking for|show (him|her|me|them)|(him|her|me)|depict the same person|the right person){END}",
    f"(who does <hit> show: the same person|same person in <hit>|is it (him|her) in <hit>|"
    f"is the person in <hit> the same){END}",
    f"(is|could) <hit> (be |)(a look-?alike|someone else|somebody else|another person){END}",
)

MEANING = (
    f"(what|and what) (does|is|are) (<fact>|the <fact>)( mean| about| telling me| measuring| show|){END}",
    f"{PLEASE}(explain|define|describe) (<fact>|the value <fact>|the measure <fact>|what <fact> "
    f"(is|means)|the number <fact>){END}",
    f"(what|which measurement|which measure) is (behind|called|meant by) <fact>{END}",
    f"(what does|what do) <fact> (mean|measure|stand for|say|tell( me| us|)|show|express){END}",
    f"(meaning of|definition of|i don't understand|i do not get|help me understand) <fact>{END}",
    f"<fact>(:|,|?|;| -) (what is that|what does it mean|meaning|what is it){END}",
    f"how (should|do|must) i (read|understand|interpret) <fact>{END}",
)

DESCRIBE = (
    f"{PLEASE}describe <hit>{END}",
    f"(what|what exactly) (do you see|is visible|can be seen|is shown|can you see) (in|on) <hit>{END}",
    f"what (does|is) <hit> (show|look like|depict|a picture of|about){END}",
    f"(what|which) (file |image |)(format|quality|size|metadata|kind of file|kind of image) (is|has|"
    f"does it have:) <hit>{END}",
    f"{PLEASE}(look at|open|view|read the metadata of|check the metadata of|have a look at|show me "
    f"the metadata of|give me the file facts of) <hit>{END}",
    f"(has|does) <hit> (have |contain |)(any |)(metadata|exif|exif data|software tags){END}",
    f"how (good|large|sharp|big) is (the image |the picture |)<hit>{END}",
    f"{PLEASE}(say|name|report|list|tell us|i need|read out) (the |)(file type|type|resolution|"
    f"dimensions|sharpness|image quality|quality|format|file facts|metadata|exif) (of|and "
    f"(resolution|sharpness|size|metadata) of|or (size|resolution) of) <hit>{END}",
    f"(what are|what is|how is) the (resolution|dimensions|sharpness|image quality|file type|"
    f"(quality|format) and (size|resolution|sharpness)) of <hit>{END}",
    f"{PLEASE}(say|write|tell me|tell us|report) (what|in words what|in one line what) (one can see|"
    f"is in the picture|is to be seen|the picture shows|you see) (in|on|of|at|for) <hit>{END}",
    f"(i (can not|cannot|can't) (see|view|load|look at)|it will not open:|no picture loads for) <hit>"
    f"(,|:|;|.) (what is (on it|in it|there)|what does it show|describe it|tell me what it shows){END}",
    f"(is|was) <hit> (a jpeg|a png|a large picture|a sharp picture|in colour|a small file|edited in "
    f"photoshop according to its metadata|large or small){END}",
    f"{PLEASE}(caption|picture description|file facts|image details|file details) (for|of|on) <hit>"
    f"{END}",
)

GALLERY = (
    "What is in the gallery?",
    f"(what|what kind of images|what pictures) (is|are) (in|inside) (the|my|this|our) (gallery|"
    f"collection|archive|library|database){END}",
    f"how (many|much) (images|pictures|photos|faces|files) (are there|are in the gallery|do you "
    f"have|does the gallery (have|hold|contain)|are indexed|did you index|are in my collection){END}",
    f"{PLEASE}(describe|summarise|summarize|show|tell me about|give me an overview of|report on) "
    f"(the|my|our) (gallery|collection|archive|library|database|index){END}",
    f"how (big|large) is (the|my|our) (gallery|collection|archive|library|database|index){END}",
    f"(which|what) (gallery|collection) (is (open|this|loaded|selected|in use)|are you (using|"
    f"searching)|do you search){END}",
    f"(gallery|collection|index) (summary|status|statistics|stats|size|contents|overview|state){END}",
    f"(is the (gallery|collection|index) (ready|empty|loaded|complete)|is there anything in the "
    f"(gallery|collection)|were (all|any) files skipped){END}",
)

OWN_PHOTO = (
    f"(is|was) (my (own |)(photo|picture|image)|<photo>|the (photo|picture|image) i (gave you|sent|"
    f"uploaded)|the query photo|this photo|this picture|this image) (itself |)(authentic|real|"
    f"genuine|a fake|fake|forged|a deepfake|manipulated|original|edited){END}",
    f"{PLEASE}(check|examine|score|verify|test|analyse|analyze|inspect|assess) (my (own |)(photo|"
    f"picture|image)|<photo>|the query photo|the photo i gave you|my upload|the reference photo)"
    f"( itself|)( for forgery| for traces of forgery|){END}",
    f"(could|can|may|might) (my (photo|picture|image)|<photo>|the query photo) (itself |)be (a |)"
    f"(fake|forged|manipulated|a deepfake|edited){END}",
    f"(what about|how about|and) (my (own |)(photo|picture)|<photo>|the query photo)(: is it| - is "
    f"it|, is it) (real|fake|authentic|genuine|forged){END}",
    f"how (authentic|real|genuine) is (my photo|<photo>|my picture|the query photo){END}",
)

WHICH: Mapping[str, tuple[str, ...]] = {
    "impersonation": (
        f"(which|what|and which|so which) (of them |of these |ones |hits |photos |images |pictures |"
        f"results |)(are|look|were|is) ({_FAKES}|fake|forged|faked|manipulated|deepfaked){END}",
        f"{PLEASE}(list|name|show me|give me|tell me|sum up|enumerate) (all |only |just |)(the |)"
        f"{_FAKES}( you found| again| from the list|){END}",
        f"(did you find|were there|have you found|so are there|do you have) (any |){_FAKES}{END}",
    ),
    "no forgery found": (
        "(which|what|and which|so which) (of them |of these |ones |hits |photos |images |pictures |"
        f"results |)(are|look|were|is) (genuine|real|authentic|originals|true photos|not fake|"
        f"not forged|untouched|unaltered|legitimate){END}",
        f"{PLEASE}(list|name|show me|give me|tell me) (all |only |just |)(the |)(genuine|real|"
        f"authentic) (ones|photos|images|pictures|hits){END}",
        f"(are|were) (any|some)( of them| of these| hits|) (genuine|real|authentic){END}",
    ),
    "other": (
        "(which|what|and which) (of them |of these |ones |hits |photos |images |results |)(are|show|"
        f"were|is) (look-?alikes|somebody else|other people|another person|other persons|"
        f"someone else|different people|strangers|not (him|her|me|them|the person)){END}",
        f"{PLEASE}(list|name|show me|give me|tell me) (all |only |just |)(the |)(look-?alikes|"
        f"other people|other persons|strangers|people who only look alike){END}",
        f"(are|were) (any|some)( of them| of these| hits|) (look-?alikes|other people|"
        f"someone else|just similar){END}",
    ),
    "copy": (
        "(which|what|and which) (of them |of these |ones |hits |photos |images |results |)(are|"
        f"were|is) (copies|duplicates|re-?uploads|reposts|copies of my photo|the same photograph|"
        f"my own photo again|identical){END}",
        f"{PLEASE}(list|name|show me|give me|tell me) (all |only |just |)(the |)(copies|duplicates|"
        f"re-?uploads|reposts|near duplicates){END}",
        f"(are|were) (any|some)( of them| of these| hits|) (copies|duplicates|re-?uploads|reposts){END}",
    ),
    "inconclusive": (
        "(which|what|and which) (of them |of these |ones |hits |photos |images |results |)(are|were|"
        f"is|remain) (inconclusive|unclear|uncertain|undecided|open|doubtful|ambiguous|unsure){END}",
        f"{PLEASE}(list|name|show me|give me|tell me) (all |only |just |)(the |)(inconclusive|unclear|"
        f"uncertain|undecided|doubtful) (ones|hits|photos|images|cases){END}",
        f"(are|were) (any|some)( of them| of these| hits|) (inconclusive|unclear|undecided|"
        f"uncertain){END}",
        f"(where|for which hits) (are you|is it) (unsure|not sure|undecided|uncertain|unclear){END}",
    ),
    "not assessed": (
        "(which|what|and which) (of them |of these |ones |hits |photos |images |)(were|could|are) "
        f"(not (be |)assessed|not (be |)judged|unusable|too poor|left out|not (be |)measured){END}",
        f"(were|are) (any|some) (hits |faces |of them |)(not assessed|left unassessed|unusable){END}",
    ),
}

COUNTS = (
    f"how many ({_FAKES}|fakes) (are there|did you find|have you found|were found|in total){END}",
    f"(how many (are|were)|what number of them is|how many of them are) (fake|forged|genuine|real|"
    f"copies|inconclusive|other people){END}",
    f"(give me|what are|show me|tell me) (the |)(counts|totals|numbers|figures|statistics|tally){END}",
    f"how many (faces|people|images|photos) (did you compare|were compared|have you looked at|"
    f"did you search){END}",
    f"{PLEASE}(summarise|summarize|sum up) (the (search|results|findings|outcome)|what you found|"
    f"your findings){END}",
    f"(what is|what's) the (result|outcome|upshot|bottom line)( of the search| in short|){END}",
)

WORST = (
    "(which (one |hit |image |)is|what is|what's|show me|name) (the |)(worst|most suspicious|clearest fake|"
    f"most likely fake|strongest|most dangerous|most convincing match|first|top hit|best hit){END}",
    f"(which (one |)should i|where should i|which (one |)do i) (look at first|start|begin with|"
    f"report first|check first){END}",
)

NEXT_PERSON = (
    f"(now|next|and now|ok now|then) (this (one|person|man|woman)|another person|somebody else|"
    f"the other person|a different person|for this one|him|her){END}",
    f"(now|next|and|) (do|try|search|repeat) (the same|it|that|again) (for|with) (this (person|"
    f"photo|one|picture)|another person|the new photo|her|him|someone else){END}",
    f"(change of person|new person|different person|here is another one|switch to this person|"
    f"a new case|forget the first|leave that)(:|,|.|;) (find (the |){_FAKES}|search|look for {_FAKES}|"
    f"same question|the same again|check (him|her) too){END}",
    f"(what about|how about|and) (this (one|person|man|woman)|her|him|the second person){END}",
    f"{PLEASE}(find|search for|look for) (the |any |){_FAKES} of (this other person|this one too|"
    f"the new person|this second person|him as well|her as well){END}",
    f"(new|another|fresh|second) (photo|picture|portrait|image)(,|:|;|.) (a different person|"
    f"someone different|another person|not the same (man|woman|person)|a new person|someone else "
    f"now|a second case)(.|,|;|:| -) (search|look|find {_FAKES}|check|run it|go)( again| once more|"
    f" for that one|){END}",
    f"(somebody else|someone different|not (him|her) any more|a different one)(:|,|.) (new|"
    f"another|this) (picture|portrait|image)(.|,|;|:) (look|find {_FAKES}|check|do it|search)"
    f"( again| too|){END}",
    f"(that (one|person|case) is (done|finished|closed)|enough about (him|her|that person)|(he|she) is "
    f"settled)(,|.|;|:) (here is|now|next is|next comes|take) (another one|somebody new|the next one|"
    f"his colleague|her sister|the next person)(.|,|;|:) (same (again|search|question)|search|find "
    f"{_FAKES}|check|look){END}",
    f"(the same|same (search|question|thing|job|again)|once more|repeat)(,|:|;) (but |)(another|a new|a "
    f"different|somebody else's) (person|face|man|woman|photo of somebody else){END}",
)

MORE_PHOTOS = (
    f"(here (is|are) (another photo|more photos|one more|a second photo|a better one) of (the same "
    f"person|him|her|me|them)(, search again|. again|; repeat the search|. use both|, use all){END})",
    f"(same person, (another|one more|a second) (photo|picture)(, again|. search again|; use both)"
    f"{END})",
    f"(use|take|add) (this (one|photo) too|this as well|these too|both photos|all photos)"
    f"( and search again|, then search|. search again|){END}",
)

ASK_FACE = (
    "(the |)<face> (one|face|person|)( please|)(|.)",
    "(i mean |i want |take |use |it's |it is |choose |the person is )(the |)<face> (one|face|person|)(|.)",
    "(face|person|number|no.) <facenumber>(| please)(|.)",
    "<facenumber>",
)

CALLED = {
    "impersonation": "an impersonation", "no forgery found": "no forgery found", "copy": "a copy",
    "other": "other", "inconclusive": "inconclusive", "not assessed": "not assessed",
}  # fmt: skip
