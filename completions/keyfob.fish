# Completes keyfob in fish. keyfob itself is asked what can stand where.

function __keyfob_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    if set -l at (contains --index -- -- $words)
        and contains -- run $words[1..$at]
        # What follows is the line of another command.
        set -l line
        if test $at -lt (count $words)
            set line (string escape -- $words[(math $at + 1)..-1])
        end
        complete --do-complete (string join -- ' ' $line "$current")
        return
    end
    KEYFOB_COMPLETE=fish keyfob -- $words "$current" 2>/dev/null
end

complete --keep-order --exclusive --command keyfob --arguments '(__keyfob_complete)'
