"""The words that mean a label, and the words around them, as data for `chains.reading.labels`."""

import re

from chains.reading.cues import ITS, TEXT, TEXT_KO, THING, THING_KO
from chains.reading.references import IS_KO

_CANNOT = r"(?:can ?not|can't)"
_MATTER = r"(?:info(?:rmation)?|evidence|context|details?)"
_ENOUGH = rf"(?:enough|sufficient) {_MATTER}"
# Stems that mean the label wherever they stand.
NLI_WORDS = {
    "entailment": r"entail(?:ment|ments|s|ed|ing)?|must be true|함의|수반|함축|전제(?:로부터"
    r"|에서) [가-힣 ]{0,10}(?:도출|추론)(?:되는|된다|됩니다|될 수 있|할 수 있)|guaranteed to be true"
    r"|반드시 참(?:이다|입|임)|(?:hypothesis|conclusion|statement) (?:(?:logically|necessarily|directly"
    r"|clearly) )?follows(?! that)|(?:logically|necessarily) follows?(?! that)"
    r"|impl(?:y|ies|ied) (?:by )?the (?:hypothesis|premise|(?:second|first) (?:sentence|statement))"
    r"|(?:hypothesis|conclusion|statement) (?:can|is) (?:be )?(?:\w+ )?(?:be )?(?:inferred|deduced|concluded|derived)",
    "neutral": rf"neutral(?:ity|ly)?|중립|undetermined|{_CANNOT} be (?:determined|verified)|{_CANNOT} (?:tell|say|know"
    rf"|determine|conclude)(?= (?:whether|if|from|based|for)\b|[.!]|$)|not {_ENOUGH}|insufficient {_MATTER}"
    rf"|(?:do|does|did|is|are)(?:n't| not) (?:\w+ )?{_ENOUGH}|(?:might|may|could)(?: or (?:might|may|could) not)? be"
    r" (?:true|false)(?: or (?:true|false))?|possibly true|(?:not|isn't|aren't) necessarily (?:true|false)"
    r"|neither (?:supported|confirmed"
    r"|proven|implied|stated) nor (?:refuted|contradicted|denied|ruled out|excluded)|nothing in the premise (?:allows"
    r"|tells|lets|says)|(?:뒷받침|확인|입증|증명)되지도,? (?:반박|부정|모순)되지도 않|unrelated|(?:알|판단할|확인할"
    r"|단정할|확정할) 수[는가도]? 없|무관(?=하|함)|관련이? ?없|참일 수도|반드시 참(?:은|인 것은|이라고는|이) ?아니",
    "contradiction": rf"contradict(?:ion|ions|s|ed|ing|ory|orily)?|모순|{_CANNOT} (?:possibly )?be true|must be false"
    rf"|참일 수[는가]? ?없|{_CANNOT} both be true|refut(?:e|es|ed|ing)|(?:inconsistent|incompatible) with"
    r"|conflicts? with the (?:premise|hypothesis|first)|(?:exact |direct )?opposite of (?:the|what the) (?:premise"
    r"|first)|mutually exclusive|(?:양립|함께 성립|동시에 성립)할 수 없|상반[된되됨]",
}
# Words that mean the label only as an answer: in prose, "true" says anything.
NLI_ANSWERS = {
    "entailment": r"(?:definitely |necessarily )?true|참(?!인지|일지|일 수|일 가능)|implied|implication"
    r"|infer(?:red|able)",
    "neutral": r"not determinable|undeterminable|unknown|maybe(?: true| false)?|uncertain|unclear"
    rf"|possibly|inconclusive|not determined|not necessarily|(?:it )?{_CANNOT} (?:be )?(?:determined?"
    r"|tell|say|inferred|known)|(?:it is |it's )?(?:not possible|impossible) to (?:say|tell|determine|know|infer)"
    r"|neither(?! (?:a |an )?(?:⟦|\w+ nor\b))|irrelevant|independent|indeterminate"
    r"|no (?:clear |direct |logical )?relation(?:ship)?|결정할 수 없|불확실|무관|미결정|미정",
    "contradiction": r"(?:definitely |necessarily )?false|not true|untrue|impossible(?! to)"
    r"|거짓(?!인지|일지|일 수|일 가능)|inconsistent|incompatible|conflict(?:s|ing)?(?: with)?"
    r"|(?:the )?opposites?(?: is true)?|반대|양립 ?불가",
}
# Labels that are a determiner before a noun ("no evidence", "other colors") count only where they stand alone.
DETERMINERS = frozenset({"no", "other", "any", "some", "all", "both"})
DETERMINES_NOTHING = (
    r"(?! (?!(?:it|there|th[ei]\w*|s?he|we|you|I|because|since|as|but|and|or|is|was|fits|applies|here|with"
    r"|for)\b)[a-z])"
)
SYLLABLE_END = rf"(?=(?:{IS_KO}|으?로|이?라고|이[며고므]|[은는이가을](?= ))?(?![가-힣]))(?! (?:번째|가지|[개명]|사람))"
# Answers to "does it follow?": they count only where no label word occurs and nothing of substance follows.
NLI_POLAR = {
    "entailment": r"yes|예|네|그렇다|그렇습니다",
    "contradiction": r"no(?!t\b|ne\b|r\b)|아니[오요]|아닙니다",
}
# "No.", "No, the premise says otherwise.", but not "No, it is not clear whether he left."
POLAR_END = re.compile(
    r"(?i)[\"')\]}.!,*: ]{0,4}(?:(?:it|this|that|they) (?:does|do|is|are|can)(?:n't| not)?)?[\"')\]}.! ]{0,4}(?:$|\n)"
    r"|[,.:;] (?!.*(?:\b(?:not|may|might|could|unclear|enough|whether|unknown|necessarily|but)\b|n't\b|수 없|않))"
)

# A denial, or a mere first impression, stands shortly before an English word ("does not entail", "one could argue for")
# and after a Korean one ("모순되지 않는다", "함의도 모순도 아니다").
DENIED_BEFORE = re.compile(
    r"(?i)(?:\bno(?: (?:clear|direct|real|evident|explicit|logical))?|(?:\b(?:not|never|without|cannot|neither|nor"
    r"|rather than|instead of|ruled? out|hardly|whether)|n't)(?: (?!(?:but|because|so|therefore|thus|hence|since|as"
    r"|while|whereas|however|which|making|makes|and|if|only)\b)[\w⟦⟧~-]+){0,8}|\b(?:seemed|looked|appeared|sounded"
    r"|argue[ds]?|case|(?:could|can|might|may)(?: also)? (?:(?:be )?(?:read|seen|taken|considered|mistaken)|seem|look"
    r"|appear|suggest)|apart|different|confused|overlaps?|touches|similar|close(?:st)?|related"
    r"|first thought)(?: (?:like|to|be|that|it|is|for|from|with|on|made)){0,4})(?: (?:as|an?|the)){0,2} ?[\"'(]?$"
)
# "lost_or_stolen_card로 분류하는 것이 적합합니다", "makes card_delivery_estimate the better fit".
CALLED = re.compile(
    rf"(?i)[\"')]{{0,2}}(?:적인?)?[\"')]{{0,2}}(?: ?(?:{THING_KO}|{TEXT_KO}))? ?(?:으?로 ?(?:분류|판단|판정|평가|설정"
    r"|처리|지정)(?:합|하는|한다|하겠|했|할 수 있|해|됩|된다|되는|[.]|$)|으?로 (?:봅니다|본다|보입|보인|보는 것이)"
    rf"|으?로 볼 수 있|에 (?:해당|속)(?:합니다|한다|함)|에 (?:관한|대한) (?:것|{TEXT_KO})|[이가] (?:가장 |더 |제일 )?"
    r"(?:적절|적합|맞|알맞|타당|정확|정답)|[을를] (?:나타[내낸냅]|표현|담고|느끼|드러|다[루룹])|에 가깝"
    r"|(?:입니다|이다|이에요|예요|임)(?=[.!]|$|\n)|(?: is|,)? the (?:best|better|correct|right|most|appropriate)"
    r"[^.\n]{0,25}?(?:fit|label|category|class|answer|match|choice|intent|option)"
    r"| category\b|(?: fits| applies| matches)(?: best| better| here))(?![^.\n]{0,12}(?:없|않|의견|이유|근거))"
)
# "좋은 예입니다", "주제를 보여주는 예": the word is described, so it is a word of the language.
DESCRIBED = re.compile(r"(?:[가-힣]+[은는이가을를] [가-힣]*[은는]|[가-힣](?:한|인|된|던)) (?<!것은 )(?<!답은 )$")
# "Entailment: No. Neutral: Yes.", "neutral: 0.8": every label with a verdict or a probability.
SHEET_VALUE = re.compile(
    r"(?i)[\"')]? ?(?:[:=(|≈~]| (?=0?\.\d)|[-–—](?= )|[^.\n?]{0,80}\?\n?|(?=[✓✔✅✗❌]))"
    r" ?[\"']?(?:(?P<yes>yes|true|예|네|해당(?! ?없|하지)|[O✓✔✅○])|(?P<no>no|false|아니[오요]|해당(?= ?없|하지)"
    r"|[X✗❌×])|(?P<number>\d{1,3}(?:\.\d{1,9})?|\.\d{1,9}) ?(?:%|/ ?(?P<of>\d{1,3}))?)(?!\w|\.\d)"
)
# A reference in the text's own words, "(B)", "option 2", before the labels are marked.
REFERENCE = re.compile(r"⟦0(\d+)⟧|⟦(\d+)⟧")
_SIGN = r"(?<![\w.])[\[(#]?(?P<sign>\d{1,2}|[A-Z])[\])]?"
NUMBERED = re.compile(_SIGN + r"(?:[.):=-]| [-–—])? ?[.):=\-\"'(]{0,3} ?(?:for )?⟦~?(?P<label>\d+)⟧")  # "1. entailment"
NUMBER_BEHIND = re.compile(r"⟦~?(?P<label>\d+)⟧ ?(?:[:=] ?|\()(?P<sign>\d{1,2}|[A-Z])(?![\w.%])")  # "neutral (1)"
# The number beside a name says nothing more: "2 (neutral)", "0: neutral", "neutral (1)".
BESIDE = re.compile(
    r"(?:⟦~?\d+⟧[\"']? ?(?:→|->|=>) ?)?(?:(?:(?:^|(?<=[\n,(;:])|(?<=\bis)) ?(?:\d{1,2}|[A-Z]) ?[:=] ?"
    r"|(?<![\w.])(?:[\[(#]?(?:\d{1,2}|[A-Z])[\])]?|\([a-z])(?:번|[.)-]| [-–—])?"
    r" ?[.)\-\"'(]{1,3} ?))?(?P<mark>⟦~?\d+⟧)(?: ?\((?:\d{1,2}|[A-Z])\))?"
)
# A bracket that may explain a number: "2 (0: entailment, …)".
BRACKETED = re.compile(r" ?\([^()\n]{1,200}\)| ?\[[^\[\]\n]{1,200}\]")
# A field or a line with a name of its own.
KEY = re.compile(r"(?:^|[\n{,.!?;] ?|- )[\"'(\[]?([^\W\d][\w /#]{0,60}?)[\"')\]]? ?(?::|=>?|->|[→⇒]) ?[\"'(\[{]?")
NO_ANSWER_KEY = re.compile(
    r"(?i)premise|hypothesis|\b(?:text|input|sentence|question|title|note|other|not)\b|alternative|candidate|possible"
    r"|options|confiden|probab|entit|previous|wrong|전제|가설|대안|후보|입력|문장|질문|참고|확신|신뢰|확률"
)
VALUE_END = re.compile(r"(?! ?\([^()\n]{0,30}\) ?:)[\"')\]}]{0,3} ?(?:[^\w\s]?(?:$|\n)|[.!,;(–—}]|[-] )")
# Where a word of the language stands as a label: it is said of something ("is clearly positive"), or classifies a thing
# ("a refund request"). In any other place it is a word of the text ("a negative number", "환불 규정").
NAMED_BEFORE = re.compile(
    r"(?i)(?:(?:(?<!there )(?<!here )\b(?:is|are|was|be|being)|'s|\b(?:as|but|leans?|seems?|feels?|sounds?|reads?|both"
    r"|remains|under|has|expresses|conveys|shows|states|about|predict|rated?|assign|labell?ed|classified|belongs to"
    rf"|{THING}|(?:call|label|rate|mark|tag|give|consider|find|deem) {ITS})),? (?:(?:an?|the) )?|{THING_KO}[은는] "
    r"|[:=>→\])] ?|(?:^|[.!?\n])\W*|(?:므로|따라서|결론적으로),? )(?:(?:very|quite|more|of|an?|\w+ly,?|overall"
    r"|somewhat) ){0,3}[\"'(\[]?$"
)
NAMED_AFTER = re.compile(
    r"(?i)[\"')\]]{0,2} ?(?:$|[\n.,;:!?)(–—/&+|<-]|(?:because|since|as|but|and|or|overall|here|rather|given|due"
    rf"|than|it|he|she|they|this|the|not|to|out of)\b|{IS_KO}|점|{THING}|{TEXT})"
)
# Around a label: "Is it a contradiction?", "모순일까?", "If he slept, it would be a contradiction."
NOT_ASSERTED = re.compile(
    r"(?i)(?:^|[.!?\n] )(?:\w+[,:]? )?(?:is|are|do|does|did|can|could|would|should)\b[^.!?\n]{0,80}⟦⟧[^.!?\n]{0,80}\?"
    r"|\bif\b(?! (?:we|you|I|one)\b)[^.!?\n]{0,80}\b(?:would|could|might)\b[^.,!?\n]{0,20}⟦⟧"
    r"|\bwhether\b[^.,!?\n]{0,40}⟦⟧|\bopposite of (?:an? )?⟦⟧|⟦⟧ nothing\b"
    r"|⟦⟧(?:인가|일까|인지|일지|[하한][가-힣]{0,3}까)요?\?"
)
