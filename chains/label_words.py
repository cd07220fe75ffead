"""The words that mean a label, and the words around them, as data for `chains.label_parsing`."""

import re

_MATTER = r"(?:info(?:rmation)?|evidence|context|details?)"
_ENOUGH = rf"(?:enough|sufficient) {_MATTER}"
# Stems that mean the label wherever they stand.
NLI_WORDS = {
    "entailment": r"entail(?:ment|ments|s|ed|ing)?|must be true|함의|수반|함축"
    r"|전제(?:로부터|에서) (?:논리적으로 |자연스럽게 )?(?:도출|추론)(?:된다|됩니다|될 수 있|할 수 있)"
    r"|(?:hypothesis|conclusion|statement) (?:(?:logically|necessarily|directly|clearly) )?follows(?! that)"
    r"|(?:logically|necessarily) follows?(?! that)"
    r"|impl(?:y|ies|ied) (?:by )?the (?:hypothesis|premise|(?:second|first) (?:sentence|statement))"
    r"|(?:hypothesis|conclusion|statement) can (?:\w+ )?be (?:inferred|deduced|concluded|derived)",
    "neutral": r"neutral(?:ity|ly)?|중립|undetermined|(?:can ?not|can't) be (?:determined|verified)"
    r"|(?:can ?not|can't) (?:tell|say|know|determine|conclude)(?= (?:whether|if|from|based|for)\b|[.!]|$)"
    rf"|not {_ENOUGH}|insufficient {_MATTER}|(?:do|does|did|is|are)(?:n't| not) (?:\w+ )?{_ENOUGH}"
    r"|(?:might|may|could)(?: or (?:might|may|could) not)? be (?:true|false)|possibly true"
    r"|(?:not|isn't|aren't) necessarily (?:true|false)"
    r"|unrelated|(?:알|판단할|확인할) 수 없|무관(?=하|함)|관련이? ?없"
    r"|참일 수도|반드시 참(?:은|인 것은|이라고는|이) ?아니",
    "contradiction": r"contradict(?:ion|ions|s|ed|ing|ory|orily)?|모순"
    r"|(?:can ?not|can't) (?:possibly )?be true|must be false|참일 수(?:는|가)? ?없"
    r"|(?:can ?not|can't) both be true|refut(?:e|es|ed|ing)|(?:inconsistent|incompatible) with"
    r"|mutually exclusive|양립할 수 없|상반(?:된|되|됨)",
}
# Words that mean the label only as an answer: in prose, "true" says anything.
NLI_ANSWERS = {
    "entailment": r"(?:definitely |necessarily )?true|참(?!인지|일지|일 수)|implied|implication|inferred|inferable",
    "neutral": r"undetermined|not determinable|undeterminable|unknown|maybe(?: true| false)?|uncertain|unclear"
    r"|possibly|inconclusive"
    r"|not (?:necessarily )?determined|not necessarily"
    r"|(?:it )?(?:can ?not|can't) (?:be )?(?:determined?|tell|say|inferred|known)"
    r"|(?:it is |it's )?(?:not possible|impossible) to (?:say|tell|determine|know|infer)"
    r"|neither(?! (?:a |an )?\w+ nor\b| (?:entail|contradict))|irrelevant|independent|indeterminate"
    r"|no (?:clear |direct |logical )?relation(?:ship)?|결정할 수 없|불확실|무관|미결정|미정",
    "contradiction": r"(?:definitely |necessarily )?false|not true|untrue|impossible(?! to)|거짓(?!인지|일지"
    r"|일 수)|inconsistent"
    r"|incompatible"
    r"|conflict(?:s|ing)?(?: with)?|(?:the )?opposites?(?: is true)?|반대|양립 ?불가",
}
# Answers to "does it follow?": they count only where no label word occurs and nothing of substance follows.
NLI_POLAR = {
    "entailment": r"yes|예|네|그렇다|그렇습니다",
    "contradiction": r"no(?!t\b|ne\b|r\b)|아니[오요]|아닙니다",
}
NOTHING_MORE = re.compile(
    r"(?i)[\"')\]}.!,*: ]{0,4}(?:(?:it|this|that|they) (?:does|do|is|are|can)(?:n't| not)?)?[\"')\]}.! ]{0,4}(?:$|\n)"
)

# "No, the premise says otherwise.", but not "No, it is not clear whether he left."
REASONED = re.compile(
    r"(?i)[,.:;] (?!.*(?:\bnot\b|n['’]t\b|\b(?:may|might|could|unclear|enough|whether|unknown|necessarily|but)\b"
    r"|수 없|않))"
)

# A denial stands shortly before an English word ("does not entail") and after a Korean one ("모순되지 않는다").
DENIED_BEFORE = re.compile(
    r"(?i)(?:\b(?:not|never|without|cannot|neither|nor|no|rather than|instead of|ruled? out|hardly)|n['’]t)"
    r"(?: (?:a|an|the|any|be|is|it|to|that|this|clear|case|clearly|direct|directly|necessarily|strictly|logically"
    r"|explicitly|really|fully|in|of|considered|classified|labell?ed|as|outright|actually|either|completely|entirely"
    r"|clear-cut|true|premise|hypothesis)){0,6} ?$"
)
DENIED_AFTER = re.compile(
    r"(?:이라고|라고|된다고|한다고|적이|적|하|되|으로|이|가|은|는|도|을|를|에|성|로)?"
    r"(?: ?(?:관계|상태|상황|여부))?(?:이라고|라고|이|가|는|은|도|를|로|에도|에)?"
    r"(?: ?(?:성립|존재|해당)(?:하|되))?(?:지는|지도|지)? ?(?:도 )?(?:직접적으로 |반드시 |명확히 )?"
    r"(?:않|아니|아닌|아닙|아님|못|없|할 수 없|볼 수 없|보기(?:도|는)? 어|해당하지)"
)
DENIED_AFTER_EN = re.compile(
    r"(?i)[\"'’]? (?:is|was|can be|would be|are)(?: not\b|n['’]t\b| wrong| incorrect| ruled out)(?! only)"
)
# A label that the text names as a first impression.
SUPPOSED_BEFORE = re.compile(
    r"(?i)\b(?:seemed|looked|appeared|sounded|(?:may|might|could|would) (?:seem|look|appear))"
    r"(?: (?:like|to be|that|as|it|is|was|a|an)){0,4} $"
)
SUPPOSED_AFTER = re.compile(r"(?:인 것|으로|처럼|이라고|라고){0,2} ?(?:보였|같았|보이(?:지만|나|는데)|생각했|여겼)")
SHARES_DENIAL = re.compile(r"(?:하지|되지|관계)?(?:도|나|이나|거나|하거나) ")  # "함의도 모순도 아니다"
ALTERNATIVE = re.compile(r"(?i)\b(?:nor|or)\b")  # "does not entail or contradict"

JOINED = re.compile(
    r"(?i)[\"'’”)\]*]{0,2} ?(?:,? ?(?:or|and)\b|,|/|\||nor\b|과|와|또는|혹은|이나|및|도 아니고)? ?"
    r"[\"'‘“(\[*]{0,2}(?:a |an )?"
)
_THING = (
    r"(?:relation(?:ship)?|label|classification|verdict|judge?ment|inference|conclusion|category|output|result"
    r"|response|prediction)"
)
_THING_KO = r"(?:관계|판정|결론|레이블|라벨|분류)"
RELATION_IS = re.compile(
    rf"(?i)\b{_THING}(?: \w+){{0,8}}? (?:is|would be|should be|must be|as|:)"
    r"(?: (?:a|an|one of|best described as|classified as|therefore|thus|clearly))* ?"
    rf"|(?:\b{_THING}|{_THING_KO}) ?[:=] ?|{_THING_KO}[는은] ?"
    r"|(?<!whether the )(?<!\bif the )\b(?:hypothesis|statement|claim|가설) ?(?:is|must be|would be|[은는이]) ?"
)
# "This is a case of neutral": here only words that mean the label anywhere count, not "true".
THIS_IS = re.compile(
    r"(?i)\b(?:this|it) is (?:clearly |therefore |thus )?(?:an? )?"
    r"(?:(?:clear )?(?:case|example|instance) of (?:an? )?)?"
)
CONCLUDING = re.compile(
    r"(?i)\b(?:therefore|thus|hence|so|in conclusion|in summary|overall|consequently)\b"
    r"|(?i:(?<!not )\bactually\b|\bon (?:second thought|reflection)\b|\bwait\b)"
    r"|따라서|그러므로|결론적으로|결국|그래서|즉|사실은|다시 보니"
)
# "Entailment: No. Neutral: Yes.", "neutral: 0.8": every label with a verdict or a probability.
SHEET_VALUE = re.compile(
    r"(?i)[\"')]? ?(?:[:=(]|[-–—](?= )) ?[\"']?"
    r"(?:(?P<yes>yes|true|예|네|[O✓✔✅○])|(?P<no>no|false|아니[오요]|[X✗❌×])"
    r"|(?P<number>\d{1,3}(?:\.\d{1,9})?|\.\d{1,9}) ?%?)"
    r"(?!\w|\.\d)"
)
ANSWER_OPEN = re.compile(
    r"[ \n\"'“‘(\[{*<:]{0,5}(?:(?:a|an|the) )?"
    r"(?:[\[(]?\b[A-Ha-h1-9][\])]?(?:[.):\-]| [-–—])[ \"'(]{1,3}|⟦\d+⟧[ .:\-(\"']{0,4})?"
)
ALONE = re.compile(
    r"[\"'”’)\]}.!,*: ]{0,4}"
    r"(?:입니다|이다|임|관계|관계입니다|관계이다|적|적입니다|적이다|수 없(?:음|다|습니다)|음|다|습니다)?"
    r"[\"'”’)\]}.! ]{0,4}$"
)
