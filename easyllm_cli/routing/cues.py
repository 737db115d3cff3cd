"""The phrases and signs by which `task.py` recognizes a task, as data.

A phrase is matched against the words of the instruction, in lower case and separated by single
spaces; `_` at its beginning or end is the border of a word. Languages that set no spaces have
phrases of their own.
"""

from __future__ import annotations

Phrases = tuple[tuple[float, tuple[str, ...]], ...]  # with the points of each group


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip().replace("_", " ") for phrase in text.split(","))


# Phrases by task, each group with its points: 2 and more decide alone.
PHRASES: dict[str, Phrases] = {
    "code": (
        (
            3,
            _phrases(
                """
                _commit message, _unit test, _pull request, _stack trace, _source code,
                _docstring, _type hint, _refactor, _borrow checker, _race condition, _this code,
                _dieser code, _diesen code, _ce code, _este código, _questo codice, _этот код,
                _regular expression, _this regex, _one liner, _rest api, _this query,
                _recursive function, _list comprehension, _stored procedure, _does not compile,
                _doesn t compile, _undefined reference, _segfault, _null pointer, _excel formula,
                _hello world, _memory leak, _memory error, _infinite loop, _this function,
                _diese funktion, _diese schleife, _this script, _this loop, _this class,
                _json schema, _cron expression, _fix the bug, _debug_, _code review,
                _syntax error, _lint_, _stacktrace, _this snippet, _pseudocode, _pseudo code
                """
            ),
        ),
        (
            1.5,
            _phrases(
                """
                _script_, _compile, _for loop, _while loop, _variables_, _variable_,
                _remove duplicates, _duplikate, _class diagram, _unit tests, _mock_, _keybinding,
                _stack overflow, _off by one, _deadlock, _thread safe, _null check, _http status,
                _status code, _json_, _yaml_, _csv_, _bug_, _bugs_, _linking_, _command to,
                _fails with, _command that, _command line, _command for, _cli_, _code_, _codes_,
                _coding_, _skript_, _config_, _formula that, _iteratively_, _returns_, _algorithm,
                _exception_, _error message, _my app_, _my program, _my website, _my site,
                _from scratch, _dataframe, _framework, _plain js, _mein skript, _mein programm,
                _last commits, _o n_, _linked list, _binary tree, _hash map, _in place_,
                _time complexity, _callback, _array of, _installed_, _endpoint
                """
            ),
        ),
    ),
    "math": (
        (
            2,
            _phrases(
                """
                _integral of, _derivative, _eigenvalue, _solve for, _square root, _cube root,
                _prove that, _prove the, _the product of two, _differentiable, _in base_,
                _surface area, _circumference, _oberfläche, _volumen_, _umfang_, _infinitely many,
                _subsets, _continuous at, _by induction, _divisible by, _perimeter_, _quadratic,
                _determinant, _simplify_, _log base, _gcd_, _lcm_, _equation, _theorem,
                _differentiate_, _integrate_, _hypotenuse, _polynomial, _converges, _diverges,
                _area under, _standard deviation, _geometric series, _arithmetic sequence,
                _binomial, _factorize_, _factorise, _factor the, _double integral, _find x,
                _what fraction, _compound interest, _berechne_, _berechnen_, _ableitung_,
                _wahrscheinlichkeit_, _gleichung, _beweise_, _quadratwurzel, _résous_, _calcule_,
                _calculer_, _démontre, _calcula_, _resuelve_, _demuestra, _ecuaci, _calcola_,
                _risolvi_, _вычисли, _реши_, _решите_, _докажи, _compounded_,
                _without replacement, _oblicz_, _the probability that, _the probability of,
                _the odds that, _let f_, _how many ways, _wie viele möglichkeiten,
                _remainder when, _remainder of, _rounded to, _angle between, _bewijs_, _bereken_
                """
            ),
        ),
        (
            1,
            _phrases(
                """
                _calculate_, _compute_, _solve_, _evaluate_, _sum of, _mean of, _average_,
                _percent, _prozent, _odds_, _how many, _how much, _wie viel, _combien_, _cuánto,
                _quanto, _quanti, _сколько_, _prime_, _fraction, _convert_, _area of, _volume of,
                _interest_, _show that, _find the_, _discount_, _rabatt_, _each of, _each get,
                _how long, _how fast, _how far, _wie weit, _wie lange, _wie schnell, _somme_,
                _probability, _integer, _odd numbers, _even numbers, _product of, _ratio_,
                _matrix_, _vectors_, _overall_, _in total, _altogether, _insgesamt, _per hour,
                _prove_, _proof_, _limit of, _what weekday, _speed of, _round to, _radius_,
                _diameter_, _triangle_, _rectangle_, _dreieck, _rechteck, _kugel_, _primes_,
                _plus_, _minus_, _divided by, _kcal_, _calories_, _combinations, _permutations,
                _what is the result, _equals_
                """
            ),
        ),
    ),
    "translate": (
        (
            3,
            _phrases(
                """
                _translate_, _translated_, _translating_, _übersetze_, _übersetzen_, _übersetz_,
                _übersetzt_, _traduis_, _traduire_, _traduisez_, _traduce_, _traducir_,
                _traduzca_, _traduci_, _tradurre_, _traduza_, _traduzir_, _traduz_, _vertaal_,
                _przetłumacz, _переведи, _перевод_, _çevir, _översätt, _how do you say,
                _how would you say, _how do i say, _how to say, _wie sagt man, _wie sage ich,
                _comment dit on, _cómo se dice, _como se diz, _come si dice, _hoe zeg je,
                _localize_, _localise_, _jak powiedzieć, _как сказать
                """
            ),
        ),
        (
            1,
            _phrases(
                """
                _into_, _ins_, _auf_, _version of, _word for, _fachbegriff, _wie lautet,
                _same text, _what would, _called in, _translation_, _mean in, _translations_,
                _literal_, _say this in, _put this_, _native speaker, _what does it say,
                _what does this say, _in english, _wie heißt_, _en inglés, _en anglais,
                _in german, _to english, _to german, _render_
                """
            ),
        ),
    ),
    "summarize": (
        (
            3,
            _phrases(
                """
                _summarize_, _summarise_, _summarizing_, _summary, _summaries, _tl dr, _tldr_,
                _key points, _main points, _main idea, _takeaway, _the gist, _condense_, _recap_,
                _fasse_, _zusammenfass, _fass_, _résume_, _résumé de, _résumer, _resume en,
                _resumen_, _resumir, _riassumi_, _riassunto, _essentials, _essence of,
                _kurzfassung, _minutes of, _meeting minutes, _краткое содерж, _кратко_,
                _in a nutshell, _boil down, _abstract of, _samenvat, _vat samen, _streść,
                _podsumuj, _resuma_, _short version, _kurz zusammen, _kurze version, _stichpunkt,
                _what matters, _the most important, _das wichtigste, _key takeaways, _l essentiel,
                _hauptaussage, _wichtigsten aussagen, _just the conclusion, _main message
                """
            ),
        ),
        (
            1,
            _phrases(
                """
                _shorten_, _shorter_, _headline_, _sentence_, _sentences_, _sätzen_, _phrases_,
                _frases_, _in plain language, _bullet points, _the main_, _abstract_, _words_,
                _wörter, _main_, _briefly, _in brief, _lines_, _kürze_, _about in, _too long,
                _no time, _overview, _points_, _in short, _в двух предложениях, _sum up, _sums up,
                _overview of, _transcript_, _minutes_
                """
            ),
        ),
    ),
    "extract": (
        (
            3,
            _phrases(
                """
                _extract_, _extracting_, _extrahiere_, _extrae_, _extrais_, _extraire_, _estrai_,
                _извлеки_, _classify_, _klassifiziere, _categorize_, _categorise_, _pull out,
                _named entit, _sentiment_, _part of speech, _parts of speech, _is this spam,
                _key value pairs, _label each, _fill in this, _fill out this, _return json,
                _as json_, _as csv, _csv table, _quote the sentence, _which of these, _ordne jed,
                _ordne die, _only the number, _one per line, _category fits, _kategorie_,
                _clasifica_, _classe_, _haal_, _true or false, _for each comment,
                _for each sentence, _for each review, _make a table, _into a table, _als tabelle,
                _as a table, _pick out, _filter out, _look up in
                """
            ),
        ),
        (
            1.5,
            _phrases(
                """
                _list all, _list every, _list only, _find all, _from the following,
                _from the text, _from this text, _identify_, _answer yes or no,
                _reply with one word, _with one word, _output only, _mentioned_, _yes or no,
                _from this_, _parse_, _in the document, _from the letter, _tag_, _the passage_,
                _rate the_, _als liste_, _tableau_, _columns_, _spam_, _label_, _stehen in,
                _del siguiente texto, _du texte, _aus dem text, _из текста, _tell me which,
                _does the_, _nenne alle, _liste alle, _get me the, _according to, _laut text,
                _vorkommen, _listed_, _yes no, _contained in, _in this text, _in this email,
                _each comment, _mention_, _sort these, _group these, _give me all, _mark which,
                _mark each, _only names, _count the, _find the typos, _match each, _for each,
                _and list them, _decide for, _which statements, _normalise_, _normalize_,
                _spam or, _welche_, _steht_, _who is the author, _the author
                """
            ),
        ),
    ),
    "write": (
        (
            3,
            _phrases(
                """
                _proofread_, _proof read_, _more formal, _more polite, _more casual, _less formal,
                _paraphrase_, _catchy_, _slogan, _continue this story, _continue the story,
                _cover letter, _press release, _birthday wishes, _freundlicher_, _höflicher_,
                _rephrase_, _reword_, _make it shorter, _funnier_, _in the style of,
                _point of view of, _personal ad, _job ad, _improve the flow, _grammar of,
                _lyrics_, _haiku_, _limerick_, _poem_, _gedicht_, _plus poli, _más formal,
                _fix the spelling, _fix the grammar, _correct the spelling, _correct the grammar,
                _spelling and grammar, _polish_, _wedding vows, _opening line, _less boring,
                _more interesting, _sound better, _sound more, _make this sound, _rewrite_,
                _name ideas, _schreib um, _short story, _fairy tale, _thank you note,
                _umformulier, _formuliere um, _korrigiere_, _corrige_, _correggi_, _исправь_
                """
            ),
        ),
        (
            1,
            _phrases(
                """
                _polite, _tone_, _witty_, _friendly_, _humorvoll, _improve_, _blog post, _essay_,
                _letter_, _email_, _story_, _tagline_, _name and, _grammar_, _correct_, _reply to,
                _decline_, _describe a_, _complain to, _write it for me, _speech_, _right words,
                _phrase_, _would you phrase, _text for, _spelling_, _my bio, _less_, _personal
                """
            ),
        ),
    ),
}

# The same for languages without spaces between words: searched anywhere in the instruction.
UNSPACED = {
    "translate": _phrases("翻译, 翻譯, 翻訳, 訳して, 译成, 번역"),
    "summarize": _phrases("总结, 總結, 概括, 摘要, 要約, まとめて, 요약"),
    "extract": _phrases("提取, 抽取, 抽出, 列出所有, 分类"),
    "code": _phrases("函数, 代码, 排序, 编写, 程序, 脚本, コード, 関数, プログラム, 코드, 함수"),
    "math": _phrases("计算, 求解, 多少个, 多久, 方程, 計算, 概率, 証明, 证明, 계산"),
    "write": _phrases("写一封, 写一篇, 写一首, 写信, 作文, 書いて, 써줘, 写一段"),
}

# How a question about the world begins.
QUESTION_STARTS = _phrases(
    """
    is_, what is, what are, what s, what was, who, why do, why did, why is the, why are, how does,
    how did, explain, is it, is an, is the, is a, are_, should, which, when, where, what happened,
    what causes, tell me, compare, can you explain, did_, does_, was ist, warum ist, warum sind,
    wer_, wie funktion, qui, qu est, pourquoi, cuál, cómo, por qué, почему, come si, perché
    """
)
# How somebody begins who wants to get something done; with a technology it is work on code.
TASK_STARTS = _phrases(
    """
    how to, how do i, how can i, how would i, how would you, how should i, kann man, can i,
    what s wrong, is there a, why does, why is my, why does my, why doesn, why do i get, i get,
    i want, i need, my_, what does, wie kann ich, wie mache ich, wie bekomme ich, comment faire,
    cómo hago, fix, find, use, set up, install, convert, turn, delete, replace, show, print, list,
    sort, check
    """
)

# Signs of a program in the prompt, with what they are called.
CODE_SIGNS = (
    ("```", "code block"),
    ("~~~", "code block"),
    ("Traceback (most recent", "stack trace"),
    ("#include <", "C code"),
    ("#!/", "script"),
    ("@@ -", "diff"),
    ("diff --git", "diff"),
    ("def ", "Python code"),
    ("console.log(", "JavaScript code"),
    ("function(", "JavaScript code"),
    ("=> {", "code"),
    ("();", "code"),
    ("){", "code"),
    (") {", "code"),
    ("};", "code"),
    ("fn main", "Rust code"),
    ("println!", "Rust code"),
    ("public class", "Java code"),
    ("SELECT ", "SQL"),
    ("INSERT INTO", "SQL"),
    ("curl -", "shell command"),
    ("sudo ", "shell command"),
    ("</div>", "HTML"),
    ("<?php", "PHP code"),
    ("import numpy", "Python code"),
    ("Error: ", "error message"),
    ("error: ", "error message"),
    ("Exception:", "stack trace"),
    ("{ display:", "CSS"),
    ("\n    return ", "code"),
    (" += ", "code"),
    ("for (", "code"),
    ("while (", "code"),
    ("if (", "code"),
)
