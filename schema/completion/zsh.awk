# Completion for zsh.

function quoted(s) {
  gsub(/'/, "'\\''", s)
  return s
}

function described(s) {
  gsub(/[\[\]:\\]/, "\\\\&", s)
  return quoted(s)
}

function action_of(t, what) {
  if (what == "") return ""
  t = tolower(t)
  gsub(/[^a-z]/, "", t)
  if (what ~ /^words/) return ":" t ":(" substr(what, 8) ")"
  if (what == "file") return ":" t ":_files"
  if (what == "folder") return ":" t ":_files -/"
  if (what == "pid") return ":" t ":_pids"
  return ":" t ": "
}

function write_option(command, n,    rest) {
  rest = "[" described(text[command, n]) "]" \
    action_of(type[command, n], takes(type[command, n], text[command, n]))
  if ((command, n) in short) print "    '*-" short[command, n] rest "' \\"
  if ((command, n) in long) print "    '*--" long[command, n] rest "' \\"
}

END {
  print "#compdef " name
  print "# Completion of " name " for zsh, made from its --help."
  print "_" name "() {"
  print "  local curcontext=$curcontext context state state_descr line"
  print "  typeset -A opt_args"
  print "  local -a commands=("
  for (c = 1; c <= command_count; ++c) print "    '" commands[c] ":" described(about[commands[c]]) "'"
  print "  )"
  print "  _arguments -C \\"
  for (n = 1; n <= option_count[""]; ++n) write_option("", n)
  print "    '1:command:->command' '*::argument:->argument'"
  print "  [[ $state != command ]] || _describe command commands"
  print "  [[ $state == argument ]] || return"
  print "  case $line[1] in"
  for (c = 1; c <= command_count; ++c) {
    print "  " commands[c] ")"
    print "    _arguments \\"
    for (n = 1; n <= option_count[commands[c]]; ++n) write_option(commands[c], n)
    print "    '*:file:_files' ;;"
  }
  print "  esac"
  print "}"
  print "_" name " \"$@\""
}
