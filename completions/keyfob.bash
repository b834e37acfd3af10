# Completes keyfob in bash. keyfob itself is asked what can stand where.

# Prints the line's words up to the cursor, one each: bash splits words at = and : too, and keyfob
# takes them whole.
_keyfob_words() {
    local rest=${COMP_LINE:0:COMP_POINT} part word='' i
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        part=${COMP_WORDS[i]}
        if (( i > 0 )) && [[ $rest == [[:space:]]* ]]; then
            printf '%s\n' "$word"
            word=''
        fi
        rest=${rest#"${rest%%[![:space:]]*}"}
        (( i == COMP_CWORD )) && part=$rest
        word+=$part
        rest=${rest#"$part"}
    done
    printf '%s\n' "$word"
}

# Completes what stands from the word $1 on, as the line of another command.
_keyfob_command() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
        return
    fi
    local kind=-f found
    (( COMP_CWORD == $1 )) && kind=-c
    compopt -o filenames +o nospace 2>/dev/null
    while IFS= read -r found; do
        COMPREPLY+=("$found")
    done < <(compgen $kind -- "${COMP_WORDS[COMP_CWORD]}"; [[ $kind == -c ]] && compgen -d -- "${COMP_WORDS[COMP_CWORD]}")
}

_keyfob() {
    local words=() word found prefix='' i
    COMPREPLY=()
    for (( i = 1; i < COMP_CWORD; i++ )); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            if [[ " ${COMP_WORDS[*]:1:i-1} " == *' run '* ]]; then
                _keyfob_command $((i + 1))
                return
            fi
            break
        fi
    done
    while IFS= read -r word; do
        words+=("$word")
    done < <(_keyfob_words)
    word=${words[${#words[@]} - 1]}
    # What readline does not replace, as it is a word of its own to it, is not repeated.
    for (( i = ${#word}; i > 0; i-- )); do
        if [[ ${word:i-1:1} == [=:@] && $COMP_WORDBREAKS == *"${word:i-1:1}"* ]]; then
            prefix=${word:0:i}
            break
        fi
    done
    while IFS= read -r found; do
        [[ -n $found ]] && COMPREPLY+=("${found#"$prefix"}")
    done < <(KEYFOB_COMPLETE=bash keyfob -- "${words[@]}" 2>/dev/null)
    if [[ ${COMPREPLY-} != *[=/:] ]]; then
        compopt +o nospace 2>/dev/null
    fi
}

if (( BASH_VERSINFO[0] > 4 || BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4 )); then
    complete -o nospace -o bashdefault -o nosort -F _keyfob keyfob
else
    complete -o nospace -o bashdefault -F _keyfob keyfob
fi
