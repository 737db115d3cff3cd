"""The word lists by which `task.py` recognizes a task, as data, in several languages."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Verbs that ask for something new.
MAKE_VERBS = _words(
    """
    add baue build compile compose craft crea create crie crée créez design develop dichte draft
    entwirf erstell erstelle escreva escriba escribe finish formuliere genera generate give haz
    implement implementiere invent maak make napisz need prepara prepare produce put redacta
    rédige rédigez schreib schreibe schreiben schrijf scrivere scrivi stwórz suggest verfass
    verfasse want write écris écrivez напиши придумай создай составь сочини
    """
)
# Those of them that ask for prose, unless the object is a program.
WRITE_VERBS = _words(
    """
    compose dichte draft escreva escriba escribe formuliere napisz phrase redacta rédige rédigez
    schreib schreibe schrijf scrivi verfass verfasse write écris écrivez напиши сочини
    """
)
# Words behind which the object of such a verb has been named.
OBJECT_ENDS = _words(
    """
    about as auf avec because che con das dass del der die for from für in mit of on para per
    pour que qui so sobre su sur that to where which who with zu über для которая который
    """
)

# What a program is made of. As the object of a verb, it is what is asked for.
CODE_NOUNS = _words(
    """
    abfrage algorithm api app array bot boucle bucle callback clase class classes cli client
    component constructor consulta crawler cron cronjob crontab decorator dictionary dockerfile
    endpoint endpoints enum expression fonction función function functions funkcja funkcję
    funktion funzione função generator hashmap hello hook interface iterator klasse library loop
    macro makefile method methode methods middleware migration module package parser playbook
    plugin procedure program programa programm programme query queue regex requête schema
    schleife scraper script server skript snippet stack struct stylesheet subquery test tests
    trigger unittest webhook webpage website widget workflow запрос класс программу скрипт
    функцию
    """
)
PROSE_NOUNS = _words(
    """
    absage ad advert advertisement anecdote annonce announcement anzeige apology article aufsatz
    ballad beschreibung bewerbung biglietto bio biography blog blurb brief briefe brochure
    canción caption card carta chanson chapter character column complaint condolence conte copy
    correo couplet courriel criteria critique cuento cv description dialog dialogue diary
    discorso discours discurso editorial einladung email entry entschuldigung epilogue essay
    eulogy excuse fable fairytale faq farewell flyer foreword gedicht gedichte geschichte
    glückwunsch greeting grußkarte guide haiku handout histoire historia história instructions
    intro introduction invitación invitation invito jingle joke journal kündigung leaflet legend
    leserbrief letter lettera lettre lied limerick list lyrics mail manifesto memo mensaje
    message messaggio monologue motto myth märchen nachricht newsletter note novel obituary ode
    opowiadanie pamphlet paragraph parody pitch play poem poema poems poesia post posts poème
    prayer preface prologue proposal racconto rap recommendation rede release reminder reply
    report resignation response review rezension rhyme riddle roast scene screenplay sentence
    sermon sketch skit slogan slogans something song sonnet speech spruch sprüche stanza
    statement steckbrief stories story synopsis tagline taglines tale testimonial text thread
    toast tribute tutorial tweet tweets verhaal verse verses vierzeiler village vorwort vow vows
    welcome werbetext wiersz wishes éloge объявление письмо поздравление рассказ речь сказку
    стих стихотворение
    """
)
# Languages, tools and formats of programs; a weak sign, as one can ask about them or tell of them.
TECHNOLOGIES = _words(
    """
    angular ansible apache arduino assembler async awk babel bash bootstrap brainfuck branch c#
    c++ cargo chmod chown clang cloudflare cmake cobol commit commits conda cors cron crontab
    css curl dart datetime django docker dockerfile elasticsearch emacs eslint excel express
    fastapi ffmpeg ffprobe firebase flask flutter fortran gcc git github gitlab golang gradle
    grafana graphql grep haskell helm html imagemagick java javascript jenkins jest journalctl
    jquery json jupyter kafka keras kotlin kubectl kubernetes kwargs latex linux localhost lua
    makefile makefiles malloc matlab maven mermaid mongodb mutex mysql neovim nextjs nginx npm
    numpy nuxt oauth opencv openssl pandas perl php pip postgres postgresql powershell prettier
    prisma prometheus psql pygame pytest python pytorch rabbitmq rails react rebase redis regex
    regexes rsync ruby rust sass scala scipy sed selenium semaphore shell sklearn spring sql
    sqlalchemy sqlite ssh ssl stderr stdin stdout supabase svelte swift swiftui systemctl
    systemd tailwind tar tensorflow terraform tkinter tmux toml typescript ubuntu vba vim vite
    vscode vue webpack wget wordpress xargs xcode xml yaml zsh
    """
)
# Human languages, in several of them.
LANGUAGES = _words(
    """
    alemán alemão allemand angielski anglais arabic basque bengali bulgarian cantonese catalan
    chinese chinesisch chino chinois croatian czech danish deutsch deutsche deutschen duits
    dutch engels engelska englisch englische englischen english espagnol espanhol español
    esperanto farsi finnish francese francés francês frans französisch französische
    französischen français french german greek hebrew hindi hungarian indonesian inglese inglés
    inglês irish italian italiano italien italienisch italienische japanese japanisch japonais
    klingon korean latein latin mandarin niederländisch niemiecki norwegian persian polish
    polnisch portugais portugiesisch portuguese portugués romanian ruso russe russian russisch
    schwedisch serbian slovak spagnolo spanisch spanische spanischen spanish swedish tedesco
    thai turkish tyska türkisch ukrainian urdu vietnamese welsh английский испанский немецкий
    русский французский
    """
)
# Words for numbers and amounts in problems to compute.
AMOUNTS = _words(
    """
    acht cinco cinq cuatro deux doble doppelt dos double dozen drei due eight eleven five four
    fünf halb half hundred mitad moitié neun nine percent prozent quarter quatre quattro sechs
    seven sieben six ten third thousand three thrice tre tres triple trois twelve twenty twice
    two vier zehn zwei zwölf
    """
)
# Units of a wanted length.
LENGTHS = _words(
    """
    bullet bullets frase frases line lines mots palabras parole phrase phrases punkten satz
    sentence sentences stichpunkte stichpunkten sätze sätzen word words worten wörter wörtern
    zeilen предложениях словах
    """
)
# Somebody tells of themselves: what is long may be a story, not a text to work on.
PERSONAL = _words(
    """
    i ich im io je ma me mein meine mi mio mir mis mon my yo мой я
    """
)
