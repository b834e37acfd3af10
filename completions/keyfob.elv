
set edit:completion:arg-completer[keyfob] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) KEYFOB_COMPLETE="elvish" keyfob -- $@words) | to-lines
}

