"""What users most often want, and what to type for it: the table of `easyllm help wishes`.

In capitals stands what the user replaces. A row is at most 80 columns wide, so the wish has at most
33 characters and the command line at most 43.
"""

# (the wish, after "I want to"; the command line)
WISHES = (
    ("have the whole answer or none", 'easyllm "PROMPT"'),
    ("see each token as it arrives", 'easyllm stream "PROMPT"'),
    ("ask about a text file", 'easyllm chat -f FILE "PROMPT"'),
    ("ask about an image", 'easyllm vision IMAGE "PROMPT"'),
    ("ask about a command's output", 'git diff | easyllm chat "PROMPT"'),
    ("go on with the conversation", 'easyllm -c "PROMPT"'),
    ("ask question after question", "easyllm repl"),
    ("choose the model", 'easyllm chat -p openai:MODEL "PROMPT"'),
    ("compare two models", 'easyllm compare -p NAME -p NAME2 "PROMPT"'),
    ("make the model reason", 'easyllm chat --think "PROMPT"'),
    ("see the reasoning, in a pipe too", 'easyllm cot "PROMPT"'),
    ("never see the reasoning", 'easyllm chat -R "PROMPT"'),
    ("have only the code of the answer", 'easyllm chat -x "PROMPT"'),
    ("have JSON that fits my schema", 'easyllm chat --schema FILE "PROMPT"'),
    ("have one of the words I name", 'easyllm chat --choices yes,no "PROMPT"'),
    ("see tokens, times and cost", 'easyllm chat -u "PROMPT"'),
    ("spend at most ten cents", 'easyllm chat --max-cost 0.10 "PROMPT"'),
    ("ask for each row of a file", "easyllm batch IN.jsonl OUT.jsonl"),
    ("find an old answer", "easyllm history search WORD"),
    ("know why I get no answer", "easyllm doctor -p NAME"),
)
SAME_OPTIONS = """\
  stream is chat --stream; -R is --reasoning hide; cot is chat --think
  --reasoning show, and lets a model without reasoning think aloud in tags.
  --effort low or high, in place of --think, sets how much a model reasons."""
