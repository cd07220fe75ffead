"""The words around an answer, as data: cues before it, endings after it, and what takes it back.

All are patterns over canonical text (see `chains.reading.references`), English and Korean side by side.
Cues are patterns by rule; the rule is the name that the extraction audit counts.
"""

import re

from chains.reading.references import IS_KO

Cues = dict[str, list[str]]

_SIGN = r"(?::|=>?|->|[→⇒⇨➔➜➡▶►▷☞👉]\ufe0f?|\|)"
_DASH = r"[-–—](?= )"
_CLOSE = r" ?[\])>\"']?"
_PEOPLE_KO = r"(?:학생|수험생|응시자|사람|친구|이들|분들)"
_NOT_IN_WORD = r"(?<![가-힣])"
_PART = r"(?:number|num|no|letter|key|choice|option|text|value|label|id|번호)"  # of an answer, in JSON
_ITEM = r"[\[(]?(?:⟦|[A-H1-9]\b)"  # an answer begins
_SO = r"(?:so|therefore|thus|hence|consequently|overall|in (?:conclusion|summary))"
_SO_CJK = r"따라서|그러므로|결론적으로|결국|그래서|所以|因此|故|したがって|よって"

FINAL: Cues = {
    "boxed": [r"(?:\\f?box(?:ed)?|\bboxed) ?\{+"],
    "answer-tag": [
        r"(?i:<(?:(?:final[_ ]?)?(?:ans(?:wer)?|choice|label)|final|output|result|prediction)>"
        r"|\[(?:final[_ ])?answer\](?!:)|<(?:최종 ?)?(?:정?답|라벨|분류)>|\{\{(?=\S{1,4}\}\}))",
    ],
    "json": [
        r"(?i:[\"'](?:(?:final|correct|selected|chosen|predicted|best|my)?[_ ]?(?:answer|choice|option)s?"
        rf"(?:[_ ]?{_PART})?|final|prediction|label|(?:최종[_ ]?)?(?:정?답|답안)"
        rf"|선택)[\"'] ?: ?(?:\{{\s*[\"']{_PART}[\"'] ?: ?)?)",
    ],
    "final": [
        rf"최종(?:적인?|으로)? ?(?:정답|답변|답안|답|선택지?|결론)(?: ?번호)?{_CLOSE}[ \n]?(?:[은는이]|{_SIGN}|[-–—])?"
        rf"|(?i:\bfinal (?:answer|choice|label|category|decision|selection|verdict|conclusion)){_CLOSE} ?(?:is|{_SIGN}"
        rf"|[-–—])?:?|\b(?:FINAL|Final) ?{_SIGN}",
    ],
}

# Patterns of one rule stand apart where their matches may overlap.
LABEL: Cues = {
    "label": [
        rf"{_NOT_IN_WORD}(?<!대한 )(?:정 ?답|(?:모범 ?)?답안|해답|답변|답|선택지?|결론)(?: ?번호)?{_CLOSE} ?(?:{_SIGN}"
        rf"|{_DASH}|(?=\(⟦))",
        rf"(?:^|\n|[.!] )[^\w\n]{{0,4}}정?답(?: ?(?:번호|해설|풀이))?{_CLOSE}(?=[ \n⟦\d])",
        rf"(?i:\bans(?:wers?)?(?: (?:choice|option|number))?){_CLOSE} ?(?:{_SIGN}|{_DASH})"
        rf"|(?i:(?:^|\n|\b(?:my|best|correct|right|chosen|selected) )(?:choice|option|selection|pick|guess"
        rf"|vote)){_CLOSE} ?{_SIGN}|(?i:(?:^|\n)(?:출력|결과|응답|output|response|result|prediction)) ?:",
        r"(?i:(?:^|\n)(?:correct |the )?ans(?:wer)?\. )|(?i:(?:^|\n|[:.?] )(?:correct |the )?answer)"
        rf"(?=[ \n] ?{_ITEM})",
        rf"(?:答案|正答|正解|解答|答え|回答|正确选项|正確選項)(?:(?:应该|應該|应|の番号)?{_CLOSE} ?"
        r"(?:(?=不是)|是|为|為|は|选|選|:){1,2}|\])",
        r"(?:^|[\n,.:]|故|应|因此|所以|本题|可|则|我|该) ?(?:应|答案)?[选選][择擇]?:? ?(?=[A-H⟦])",
        r"(?:正しい|正しくない|適切な|適切でない|不適切な|誤っている|ふさわしい|合致する|正确|错误|恰当|不正确"
        r"|不恰当)[の的]?(?:もの|の|選択肢|选项|一项|一項|的一项)?[は是为]",
        # "A: 4" tags an answer, unless "B: 2" follows.
        r"(?:^|\n)(?:A|답)[:.](?= ?⟦)|(?:^|\n)A[:.](?= ?\d{1,2}[.)]?(?:$|\n|,| -| because"
        r"| since))(?![^\n]{0,80}\n ?B ?[:.)])",
    ],
}

# "적절하지 않은 것은 ③이다": the question's own words, answered.
_ASKED_KO = (
    r"(?:적절|적합|알맞|옳|맞|일치하|부합하|바르|타당|가까|올바르|틀린|틀리|잘못|어긋|아닌|거리가 먼|해당하|다른|부적절"
    r"|없는|어려운|정확)[가-힣 ]{0,14}(?:것|선택지|선지|진술|설명|보기|내용|반응|이해|번호|문장|항목|감상|질문|사람)"
)
_DEGREE = r"(?:the |most |best |only |least |single ){0,4}"
_RIGHT_EN = r"(?:in)?(?:correct|appropriate|accurate|suitable|right|best|consistent|valid|final)"
_IS = r"(?:is|would be|should be|must be|will be|remains|has to be|seems to be|appears to be|can only be)"
_ADVERB = (
    r"(?: (?:still|therefore|thus|clearly|definitely|most likely|likely|probably|indeed|simply|also|either|actually"
    r"|in fact|instead|that of|the))*:?"
)
# What is classified, and as what: "the relation", "this review".
THING = (
    r"(?:relation(?:ship)?|label|classification|verdict|judge?ment|inference|conclusion|category|output|result|class"
    r"|type|topic|fit|match|guess|best choice|intent(?:ion)?|sentiment|emotion|tone|stance|priority|rating|reading"
    r"|response|prediction)"
)
THING_KO = (
    r"(?:관계|판정|결론|레이블|라벨|분류|카테고리|유형|의도|감정|감성|주제|입장|등급|평점|별점|우선순위|분야|정답)"
)
TEXT = (
    r"(?:text|review|article|news|story|ticket|issue|message|email|tweet|comment|post|request|question|inquiry|query"
    r"|case|problem|matter|statement|opinion|star)s?"
)
TEXT_KO = r"(?:글|사건|소식|문장|리뷰|기사|뉴스|문의|요청|민원|댓글|의견|내용|표현|어조|평가|메시지|분야|섹션|이슈|건)"
ITS = rf"(?:it|this|that|(?:the|this) {TEXT})"
_NAME = r"(?=[\"'(\[]{0,2}⟦)"  # a label, or a choice, in so many words
_SO_NAMED = (
    rf"(?:->|=>|[→⇒∴]) ?|\[[x✓✔]\] ?|(?:^|[.!?\n;,] ?)(?:{_SO}|ergo|verdict|{_SO_CJK}|결론은|결론부터 말(?:씀드리|하)"
    r"(?:면|자면))[,:]? (?:(?:it|this)(?:'s| is) )?(?:an? )?|\b(?:this|it) is (?:clearly |therefore |thus )?(?:an? )?"
    r"(?:(?:clear )?(?:case|example|instance) of (?:an? )?)?"
)
CONCLUSION: Cues = {
    "relation": [
        rf"(?i)(?:\b{THING}(?: \w+){{0,8}}? (?:is|would be|should be|must be|as|:)(?: (?:a|an|one of|best described as"
        rf"|classified as|therefore|thus|clearly))* ?|(?:\b{THING}|{THING_KO}) ?[:=] ?|{THING_KO}[는은] ?"
        r"|(?<!whether the )(?<!\bif the )(?:\b(?:hypothesis|statement|claim)|(?<!면 )가설)"
        rf" ?(?:is|must be|would be|[은는이]) ?){_NAME}",
        r"(?i)(?:\b(?:classif(?:y|ied|ies)|label(?:l?ed)?|categori[sz]ed?|described|characteri[sz]ed|summari[sz]ed"
        rf"|marked|tagged|rated?|regarded|treated?|seen)(?: {ITS})?(?: (?:pair|one))? as (?:an? |the |clearly )*"
        rf"|\b(?:file|put|place|mark|assign|route|send) {ITS} (?:to|under|as|in|into) (?:the )?"
        r"|\bmakes? (?:it|this|that) (?:an? |clearly )*|\b(?:belongs? (?:to|in|under)|falls? (?:under|in(?:to)?)"
        r"|fits? (?:best )?(?:under|into|in)|goes? (?:to|under)) (?:the )?|\b(?:I|we)(?: (?:would|will|think|believe"
        r"|say|choose|pick|go with|lean towards?|vote for)|'d (?:say|go with|pick|call it))+ (?:that )?"
        rf"(?:(?:this|it) (?:is|would be|should be) )?(?:an? |the )?|\bmost likely (?:an? )?|\bshould be ){_NAME}",
        rf"(?i)(?:{_SO_NAMED})(?=[\"'(\[]{{0,2}}⟦\d+⟧(?![은는에]))",
    ],
    "answer-is": [
        rf"{_NOT_IN_WORD}(?:정답|답안|답변|답|추측|추정|(?:내|제|나의|저의) 선택)(?: ?번호)?(?: (?=[은는] ))?[은는이]"
        r"(?!라고|라는)(?= ?[^ ])(?: ?(?:\.{2,3}|…|,|:))?(?: (?:바로|여전히|역시|결국|아마도?|당연히|확실히|분명히"
        r"|다음과 같습니다[.:]))?",
        rf"{_NOT_IN_WORD}정?답[은는]? (?:다음|아래)[과와]? 같(?:습니다|다)[.:]",
        rf"{_ASKED_KO}(?:[은는](?: 바로)?| ?{_SIGN})",
        r"남[는은] 것은 ?|정?답[을를] (?:(?:먼저 )?(?:말씀드리|말하|밝히)(?:면|자면) |(?=⟦\d+⟧으?로))"
        r"|(?:정?답|것|선택지|선지|진술|설명|내용|하나)[을를] (?:고르|꼽으|찾으|선택하|고른다|꼽는다|찾는다"
        r"|선택한다)(?:자?면),? |(?:찍는|고른|택한)다면,? ",
        rf"(?i:\banswer,?(?: [\w',]+){{0,8}}? {_IS}{_ADVERB}|\banswers are:? |\banswer's:? )",
        rf"(?i:\bthe {_DEGREE}{_RIGHT_EN}(?: \w+)? (?:option|choice|statement|one|response|selection) {_IS}{_ADVERB}"
        rf"|\bmy (?:best )?(?:choice|pick|selection|guess|vote) {_IS}{_ADVERB})",
        r"(?i:\b(?:change|switch|revise) (?:my|the) (?:answer|choice) to )",
        r"(?i:\bleav(?:ing|es) (?:only |us with |just )?|\bif (?:forced|I had|I must|pressed)[^.\n,]{0,20},)"
        r"|(?i:\bonly )(?=⟦\d+⟧ (?:holds|works|fits|remains|matches|satisfies|follows|makes sense)\b)"
        rf"|(?i:\b(?:is|get|gives) (?:the )?answer )(?={_ITEM})|(?i:\bboth )(?=\S+ and \S+ are (?:the )?(?i:correct"
        r"|right|valid|answers))|(?i:\b(?:corresponds? to|matches|which is|this is|that's) (?:the )?)(?=⟦|[A-J]\b)",
        rf"(?i:\b{_SO}\b[^.\n]{{3,150}}? is) ?(?=[\[(]?[A-H][\])]?(?:[.,:]|$|\n))",
        rf"(?i:\b{_SO}[,:]? )(?=[\[(]?(?:[A-H]|\d{{1,3}})[\])]?[.!]?(?:$|\n))",
        r"(?i:(?:^|\n|[.,!] |\bthink |\bbelieve )(?:so )?(?:it|that)(?:'s| is| (?:must|has to|should|would) be)(?:"
        r" (?:most likely|very likely|likely|probably|definitely|clearly|certainly|perhaps|likeliest))? )",
        r"(?:^|\n)(?=(?:[Nn]ot |⟦\d+⟧(?:이? ?(?:아니라|아닌|아니고)| ?같지만| ?같으나)))",
    ],
    "chosen": [
        r"(?i:\b(?:I|we|let's)(?:'(?:ll|d|m)| will| would| must| should)?(?: (?!not\b)\w+){0,2}? (?:choose|pick|select"
        r"|go with|going with|opt for|chose|selected|vote for|say|guess|settle on|(?:lean|leaning) (?:more )?towards?"
        r"|answer(?: with)?)(?: the)?)(?! between| from| among)|(?:^|\n)(?i:choose|select|pick|going with|choosing"
        r"|selecting) (?=[A-J](?= here\b)|\S+[.!]?(?:$|\n)|⟦\d+⟧[.!]?(?:$|\n))",
    ],
}

RANKED_FIRST: Cues = {
    "ranking": [
        r"(?<!\d)1(?:위|순위)[는가]? ?[:=)\-–.]?|(?i:\brank(?:ed)? ?#?1(?:st)?\b|\b1st(?: place)?) ?[:=)\-–.]?",
        r"(?i:(?<!\d)순위|\brank(?:ing|ed)?\b)[^\n⟦]{0,60}\n1[.):] ?(?=⟦)",
        r"(?i:(?<!\d)순위|랭킹|적절한 순서?|높은 순서?|\brank(?:ing|ed)?\b"
        r"|most [a-z]+ to least[a-z ]{0,20})[^\n⟦:]{0,30}[:\n] ?",
    ],
}
WORST_FIRST = re.compile(r"(?i)낮은 (?:것부터|순)|least \w+ to most|worst to best|ascending")

# "Answer:\n1. First …\n2. Then …" opens numbered steps, not choice 1.
NUMBERED_STEPS = re.compile(r" ?\n ?(?:⟦1⟧|1)[.):] [^\n]*\n(?:(?!⟦?\d)[^\n]*\n){0,3}(?:⟦2⟧|2)[.):]")
NOT = re.compile(r"(?i:(?: ?(?:is|are))?(?:n't| ?not)\b(?: (?:option|choice))? ?)|不是")
BUT = re.compile(
    r"[^.\n⟦]{0,60}?(?:\b(?:but|rather|instead|it(?:'s| is))(?: (?:it is|it's|rather|instead|is|with))? ?|而?是)"
)

_AFTER = r"[)\]\"']{0,2}"
_ASIDE = rf"{_AFTER}(?: ?\([^()\n]{{0,60}}\))?"
_BUT_KO = r"(?:지만|으나|는데)"
_ONLY_IF = r",? (?:only )?(?:if|unless|had|were)\b(?! (?:we|you|I|one|the premise)\b)"
_UNLIKELY = r"일 (?:가능성이|확률이) [낮없적]"
# A choice that is named and taken back: denied, asked about, supposed, or held only at first.
WITHDRAWN = re.compile(
    rf"{_ASIDE}(?:이?라고|[된한]다고|적이?|[하되]|으?로|[도이가은는를을에성])?(?: ?(?:관계|상태"
    r"|여부)[이가는은도로]?)?(?: ?(?:성립|존재|해당)[하되])?(?:지[는도]?)? ?(?:도 )?(?:(?:절대|결코|더 이상|올바른"
    r"|맞는|반드시|직접적으로) )?(?:정?답(?:이라고|이라|으로|이|은)? )?(?:아니|아닌|아닙|아님|않|못|없|제외|오답"
    r"|틀(?:리|렸|린(?! ?(?:것|설명|진술|내용|이해|선택지|문장)))|관련이? ?없|[될볼할를] 수 없|보기[도는]? 어|ではな)"
    r"|(?:[하되]지)?도,? ⟦[^.\n]{0,25}(?:않|아[닌닙니]|없|못)|[\"')]? ?(?:인 것|으로|처럼|이?라고){0,2} ?(?:보였"
    rf"|같았|보이(?:지만|는데)|생각했|여겼)|{_AFTER}(?:인지|일지|일까|일 수도|인가|라면|이라면|이라고 하면|일 경우"
    rf"| ?같지만| ?같으나|처럼 보이|인 것처럼|이었(?:{_BUT_KO}|습니다만)|였{_BUT_KO}|이?라고 (?:생각|판단|답"
    r"|착각)[가-힣]{0,4}(?:지만|으나|는데|수)|이? ?(?:되려면|려면|되기 위해|(?:되었|됐|었)을)|였을|이?라고 (?:주장"
    rf"|착각|오해|[가-힣]{{2,4}} {_PEOPLE_KO})|[을를] (?:선택|골)[가-힣]{{0,3}}{_BUT_KO}|{_UNLIKELY}| (?:is|was|can be"
    r"|would be|are)(?:n't| not)\b(?! only)| (?:was (?:wrong|incorrect)|(?:is|are) (?:wrong|ruled out))"
    rf"| do(?:es)?(?: not|n't) (?:apply|fit|match|hold)\b| (?:means|would mean|requires)\b)|{_ONLY_IF}"
)
# An answer that the text tells of and does not give: someone else's, a wrong one, another question's, a supposed one.
# Matched against the sentence up to the cue or the reference.
_OTHERS_EN = r"(?:some|many|most|several|few|others|students?|readers?|people|candidates|one|you|someone|they)"
_THINK_EN = r"(?:think|say|said|believe|assume|claim|argue|conclude|suppose|thought|feel)s?"
_OWN_ADJECTIVE = r"(?: (?!the\b|my\b|this\b|our\b)[\w'-]+){0,2}"
NOT_GIVEN = re.compile(
    r"(?i:\b(?:wrong|incorrect|commonly|common|frequent|popular|tempting|usual|typical|students?'s?|previous|earlier"
    rf"|initial|alternative|plausible|year's|another|other){_OWN_ADJECTIVE} $"
    rf"|\b{_OTHERS_EN}\b[^,]{{0,40}}\b{_THINK_EN}\b[^,]{{0,20}}$|\b(?:mistake|wrong|tempting|easy"
    rf"|tempted)\b[^,]{{0,20}} to {_THINK_EN}\b[^,]{{0,20}}$|\b(?:previous|earlier|last|other|next|another) (?:question"
    r"|exam|test|year|problem|item)[' ]|\((?:참고|이전|지난|작년|note|cf)[^()]{0,60}$)"
)
PEOPLE_SUBJECT_KO = re.compile(rf"{_PEOPLE_KO}들?[이가은는도] (?:[가-힣]+ ){{0,2}}$")  # before "3번" or "정답"
IF_EN = re.compile(
    r"(?i)(?:^|[, ])(?:if|unless|suppose|had|were)\b(?! to\b| (?:we|you|I|one) (?:(?:had|have|need) to|must|look|read"
    r"|consider|compare|go|check|examine|follow|focus|take)\b)"
)
SUPPOSED_EN = re.compile(r"(?i)\b(?:would|could|might)\b")
# What lets a later statement replace an earlier one: the text turns back on itself, or draws its conclusion.
REVISED = re.compile(
    r"等等|重新|更正|いや、|(?:[.…!?,\n] ?)아니[다요야]?[,.! ]|잠깐|사실은|다시 (?:보|생각|검토|읽|확인|판단|계산|살펴)"
    r"|재검토|정정|수정하|고쳐|실수[했였]|잘못 (?:보|봤|읽|판단|생각)|(?i:\bwait\b|\bactually\b|\bon (?:second|further"
    r"|closer|re)|\bre-?(?:read|consider|check|examin|think)|\bcorrection\b|\boops\b|\bedit:|\bmake that\b|\b(?:change"
    r"|switch) my answer\b|\brevise\b|\bupon re|\bscratch that|\bmistaken?\b|\bsorry\b|\bapologi[sz]e|\bhmm\b)"
)
SO = re.compile(rf"{_SO_CJK}|즉|(?i:\b{_SO}\b)")
CONCLUDES = re.compile(rf"므로 |{_SO_CJK}|하지만|그러나|그런데|(?i:\b(?:{_SO}|however|but)\b)")
HEDGED = re.compile(
    r"(?i)처음|\b(?:initially|originally|at first|first thought)\b|보인다|보입니다|것 같|가능성|아마"
    r"|\b(?:probably|might|could|perhaps|seems?|maybe)\b"
)
OPENS_SENTENCE = re.compile(
    r"[^\w⟦]*(?:[^\W\d]{2,14} ?: ?)?(?i:(?:the|my|our|most|best|correct|right|올바른|최종|가장|적절한|진짜) ?)*"
)

# After words between the cue and the choice, only an ending that asserts the choice commits to it.
COMMITTED = re.compile(
    rf"{_AFTER}(?:입니다|이다|이에요|예요|이며|이고|임\b|이라|으로 |일 것|인 것|이 (?:정?답|맞|적절|된|됩)"
    r"|에 해당|을 (?:선택|고)|라고|같|인 [\"']|[.!]|\n|$| ?[-–—:(,]| because| since)"
)
CHANGED = re.compile(r"으?로 ?(?:답을 )?(?:바꿨|바꾸|바꿉|바꾼|바로잡|정정|고치|고칩|고쳤|수정|변경|확정)")
ALSO = re.compile(r"도 정?답")

_NO_DENIAL = (
    r"(?![가-힣]{0,3} ?(?:아니|아닌|아닙|아님|될 수|없)|[가-힣]{0,4}(?:라면|려면|인지|일까|지만|처럼)"
    r"|이 ?되(?:려|기 위)|일 수[도는]|(?:이?라고|으로) (?:할|볼|보[이일]|보기|생각|착각|오해|주장|고르기)"
    rf"|인 것 같지만|이?라고 (?:했|말|주장)|{_UNLIKELY})"
)
_VERY = r"(?:가장 |제일 |더 |바로 |유일한 |유일하게 |올바른 |옳은 |적절한 |적절하지 않은 |알맞은 |맞는 |최종 ){0,4}"
_CHOOSE_KO = r"(?:선택|고[르른]|골[랐라]|택[하한합했]|결정|정[하했]|답하|제출|제시|바로잡|확정|바[꾸꿨꿉]|변경)"
# "3번을 고른 학생" tells of someone else, "3번을 고르기 쉽다" warns.
_NOT_CHOSEN = rf"(?![가-힣 ]{{0,6}}(?:으나|지만|는데|면|않|없|경우|{_PEOPLE_KO}|기 쉽|기 쉬|실수|함정|비율))"
_THINK_KO = r"(?:것 같|생각[됩합한하해]|판단[됩합한하해]|봅니다|보입니다|본다|보인다|사료|추정|추측)"
# "③이 정답이다", "3번을 선택합니다", "3번이라고 생각합니다", "(C) is the answer".
CALLED_THE_ANSWER = re.compile(
    rf"(?! ?\([\d.]+ ?%){_ASIDE}(?:(?:[은는이가도]|만이|이야말로)? ?(?:바로 )?(?:[:→=-] ?)?정답(?! ?:){_NO_DENIAL}"
    rf"|(?:[이가도]|만이) ?{_VERY}(?:정?답|(?:(?:틀린|잘못된|부적절한|어긋난|옳지 않은) ?)?(?:것|설명|진술|내용|이해"
    rf"|선택지)){_NO_DENIAL}(?:[이입임일인]|$|[.!\n])|[이가]? ?(?:모두|둘 다) ?정?답{_NO_DENIAL}|(?:[을를]"
    rf"|으?로) ?(?:(?:최종 )?(?:정?답으로 )?)?{_CHOOSE_KO}{_NOT_CHOSEN}|[을를] 정?답으로(?! 고르기| 착각| 오해"
    rf"|[가-힣 ]{{0,6}}{_PEOPLE_KO})|[은는이가] [^.!?\n⟦]{{0,60}}?(?:므로|때문에) 정답(?:이다|입니다|이 [된됩])"
    r"|이 (?:확실|분명|틀림)|만 남|밖에 없|(?:으)?로 하겠|[을를]? ?(?:고르|고르시|선택하|찾)면 [된됩]"
    rf"|이?라고 [볼할] 수 있(?:습니다|다|겠)|(?:이?라고|으?로|인 것으로|인) ?{_THINK_KO}(?![가-힣 ]{{0,6}}(?:으나|지만"
    rf"|는데|수|쉽|{_PEOPLE_KO}))|[일인] ?듯|(?:[일인] 것)? ?같(?:습니다|다|아요|네요|긴)|[이가]? ?아닐까"
    r"|[がは]?(?:最も)?(?:正解|正答|正しい|適切(?!で(?:は)?な))|だと思|(?:选项|項|项)?[是为]?最?(?:正确|正確|恰当"
    rf"|对的)(?:的?答案|选项)?|(?i: {_IS}(?: (?:clearly|definitely|therefore|thus|indeed))? (?:the |my |an |most |only "
    rf"|best |correct |right |final |in)*(?:answer|choice|option)\b(?!{_ONLY_IF})| {_IS} the (?:only )?(?:one|option"
    r"|choice|statement) (?:that|which)\b))"
)
_RIGHT_KO = (
    r"(?:적절|알맞|옳|맞|타당|적합|부적절|올바|잘못|틀[리린렸]|어긋|일치|부합|가깝|거리가|해당|정확"
    r"|부정확)(?![가-힣 ]{0,8}(?:는지|지 여부|다면|라면|으면|수 있|것처럼))"
)
# "3번이 가장 적절하다" singles a choice out; "3번은 적절하다" only judges it.
_JUDGED = rf"{_VERY}[^.!?\n⟦]{{0,40}}?{_RIGHT_KO}"
SINGLED_OUT = re.compile(
    rf"{_ASIDE}(?:(?:[이가]|만이?) ?{_JUDGED}|(?i:(?: alone)? {_IS}(?: not)?"
    rf"(?: (?:clearly|definitely|the|most|more|least|best|only|therefore))* {_RIGHT_EN}))"
)
JUDGED = re.compile(rf"{_ASIDE}[은는] ?{_JUDGED}")
WRONG_EN = re.compile(r"(?i)\b(?:not|in(?:correct|appropriate|accurate|consistent|valid))\b")
# In a text that judges every choice: what is said of one, of some, or of all that are not named.
_LETTER_JUDGED = r"(?<![\d.⟦])\d{1,2}(?= ?\([XO])|\b[A-J]\b(?=[).:]| ?[-–—=(✓✔✅✗✘×❌]| (?:is|was)\b)"
_THE_REST = r"나머지|다른 (?:선택지|선지|것|보기)|\b(?i:the (?:rest|others?)\b|other (?:options|choices|statements))"
EACH_JUDGED = re.compile(
    rf"(?s)(?P<choices>(?:⟦\d+⟧(?: ?[,·와과및] ?| )?)+|{_LETTER_JUDGED}|{_THE_REST})"
    rf"(?P<said>.*?)(?=⟦|{_LETTER_JUDGED}|{_THE_REST}|\Z)"
)
EXCEPTED = re.compile(r"[을를] ?(?:제외|빼)")  # "4번을 제외하고는 모두 맞다"
JUDGED_WRONG = re.compile(
    r"(?i)않|아니|틀[리린렸]|잘못|부적절|어긋|불일치|다르|다름|없|[X✗✘✕×❌]|\b(?:not|wrong|false|in\w+)\b|n't"
)
JUDGED_RIGHT = re.compile(
    r"(?i)적절|옳|맞|참|일치|타당|올바|수 있|[O○✓✔✅]|\b(?:correct|true|right|appropriate|accurate)\b"
)
# "나머지와 다른 하나는 네 번째 것이다", "the false statement is D": what a sentence is about is said to be one choice.
POINTED = re.compile(
    r"(?<!오답)(?:[은는면건]|は|是) ?[^.!?\n⟦]{0,60}?⟦(\d+)⟧(?: ?(?:것|번째))?[\"')]{0,2} ?(?:입니다|이다|이에요|예요"
    r"|임|다|です|である)(?=[.!,]|$|\n)|\b(?<!could )(?<!might )(?<!may )(?<!also )(?:is|are|be)(?: a case of| just"
    r"| simply)? (?:⟦0?(\d+)⟧(?=[.,;]|\n|$)|([A-J])(?=[.;]?(?:$|\n)|, (?:so|not|because|since|as)\b))"
)
# "…한 선지는 ③이며, 이 선지를 정답으로 선택한다": the choice that was named last.
NAMED_BEFORE = re.compile(
    r"(?:이것|이를|그것|[이그] ?(?:선지|선택지|번호))[을를이가]? ?(?:[가-힣]+ ){0,2}(?:정?답|선택|고르|고릅|택)"
    r"|\b(?:so|and) (?:that|this)'?s? (?:is )?(?:the|your|my) answer|\bwhich is the (?:correct )?answer"
)
# "1번부터 4번은 모두 적절하지만": what is judged next is the one that is left.
CONTRASTED = re.compile(r"(?:모두|전부|나머지|다른)[^.!?\n]{0,40}(?:지만|으나|는데|반면에?|하고|하며),? ?$")
CONCLUDING = re.compile(
    rf"(?:{_SO_CJK}|즉|고로|그러니|종합하면|(?:고르|꼽|추측하|답하)자면|골라야 한다면|저는|제 생각에?는?|제 생각엔|∴"
    rf"|(?i:\b{_SO}\b))[ ,:]{{0,3}}$"
)
QUOTED_BEFORE = re.compile(r"[^\s,:\[{(][\"'] ?\(?$")  # "'<text of the choice>'(2번)입니다"
COPULA_END = re.compile(rf"{_ASIDE}(?:{IS_KO}|일 것(?:입니다|이다)|[.!]{{0,2}}(?:$|\n)|[.!] )")
# "C is the correct answer", "C가 정답이다": a lone letter or digit counts as the subject of a sentence.
LONE_SUBJECT = re.compile(
    r"(?:(?:^|[.\n,:] ?)|(?i:\b(?:so|therefore|thus|hence|that|but|only) ?,? ))(?:[\[(\"']?([A-H])[)\]\"']?"
    rf"|(\d{{1,2}}))(?i:(?=(?: alone)? {_IS}\b))|(?<![A-Za-z])(?:([A-H])(?:[와과]|랑|,) ?)?([A-H])[)\]\"']?"
    r"(?=(?:[가이를을은]|는|만이?|로|으로|도|라고|이라고|인|일) |が|は|是?(?:正确|对的))"
)
