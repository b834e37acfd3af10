complete --keep-order --exclusive --command keyfob --arguments "(KEYFOB_COMPLETE=fish keyfob -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
