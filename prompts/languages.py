"""Languages that requests may be in: common words by which they are known, and a remark in each."""

COMMON_WORDS = {
    name: frozenset(words.split())
    for name, words in {
        "English": "the is are was were this that these those of in on to and or what which who "
        "why "
        "where how me my you your it he she her him his with from for not do does did can could "
        "would show find please mark list a an have has be as all only",
        "German": "der die das den dem des ein eine einen einem ist sind war waren hat haben und "
        "oder nicht kein keine mir mich ich du sie er es wir auf aus mit von vom zum zur für über "
        "was wer wie wo warum welche welcher welches bitte zeig zeige alle dieser diese dieses "
        "wirklich bild bilder foto fotos gefälscht auch noch nur hier",
        "French": "le la les des du un une est sont était c ce cette ces cet qui que quoi dans sur "
        "avec pour pas ne je tu il elle nous vous moi mes ma mon pourquoi comment combien faux "
        "fausse où quel quelle "
        "quelles quels et ou s il plaît montre bien image images aux au plus fait",
        "Spanish": "el la los las un una es son era qué que quién quien cómo dónde por para con "
        "sin "
        "no yo tú él ella me mi mis su sus esta este estas estos esa ese cuál cuáles cuántos "
        "cuántas falsos falsas y o muestra "
        "foto fotos del al imagen imágenes está hizo muéstrame todas todos de se",
        "Italian": "il lo la i gli le un una è sono era che chi cosa come dove perché per con "
        "senza "
        "non io tu lui lei mi mio mia questa questo queste questi quale quali e o mostra mostrami "
        "della del dei delle nella foto immagine immagini di davvero ha",
        "Portuguese": "o a os as um uma é são era que quem como onde por para com sem não eu tu "
        "ele "
        "ela me meu minha esta este estas estes essa esse qual quais e ou mostra mostre da do das "
        "dos na no nas nos foto fotos imagem imagens está fez foi",
        "Dutch": "de het een is zijn was waren wie wat hoe waar waarom welke en of niet geen ik "
        "jij "
        "hij zij mij mijn deze dit dat die op van met voor uit laat zien alle foto foto's echt "
        "afbeelding beeld heeft er aan ook",
        "Polish": "jest są był była kto co jak gdzie dlaczego który która które i lub nie ja ty on "
        "ona mi mój moja te ten ta to tę tych na z ze w we do od czy pokaż proszę zdjęcie zdjęcia "
        "zdjęciu obraz obrazy wszystkie",
    }.items()
}

IN_ENGLISH = {
    "German": "Ich verstehe Deutsch, antworte aber auf Englisch.",
    "French": "Je comprends le français, mais je réponds en anglais.",
    "Spanish": "Entiendo el español, pero respondo en inglés.",
    "Italian": "Capisco l'italiano, ma rispondo in inglese.",
    "Portuguese": "Entendo português, mas respondo em inglês.",
    "Dutch": "Ik begrijp Nederlands, maar antwoord in het Engels.",
    "Polish": "Rozumiem po polsku, ale odpowiadam po angielsku.",
}
"""Said once in a case, by the application."""
