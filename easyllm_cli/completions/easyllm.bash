_easyllm_completion() {
    local IFS=$'\n'
    COMPREPLY=( $(_EASYLLM_COMPLETE=complete_bash _EASYLLM_LINE="${COMP_LINE:0:COMP_POINT}" \
        _EASYLLM_WORD="${COMP_WORDS[COMP_CWORD]}" "$1" 2>/dev/null) )
}
complete -o default -F _easyllm_completion easyllm
