# Completion for bash.

function names_of(command, n,    s) {
  if ((command, n) in short) s = "-" short[command, n]
  if ((command, n) in long) s = s (s == "" ? "" : " ") "--" long[command, n]
  return s
}

function pattern_of(command, n,    s) {
  s = command ":" names_of(command, n)
  sub(/ /, " | " command ":", s)
  return s
}

function action_of(what) {
  if (what ~ /^words/) return "words='" substr(what, 8) "'; COMPREPLY=($(compgen -P \"${current%\"${current##*,}\"}\" -W \"$words\" -- \"${current##*,}\"))"
  if (what == "folder") return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$current\")"
  if (what == "pid") return "COMPREPLY=($(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$current\"))"
  if (what == "name") return "COMPREPLY=($(compgen -W \"$(cat /proc/[0-9]*/comm 2> /dev/null | sort -u | grep -x '[A-Za-z0-9_.:-]*')\" -- \"$current\"))"
  if (what == "file") return ":"  # what readline does by itself
  return "compopt +o default"
}

END {
  print "# Completion of " name " for bash, made from its --help."
  print "_" name "() {"
  print "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' words='' word"
  print "  COMPREPLY=()"
  print "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do"
  list = commands[1]
  for (c = 2; c <= command_count; ++c) list = list " | " commands[c]
  print "    case $word in " list ") command=$word; break ;; esac"
  print "  done"
  print "  case $command:$before in"
  for (c = 1; c <= command_count; ++c) {
    for (n = 1; n <= option_count[commands[c]]; ++n) {
      what = takes(type[commands[c], n], text[commands[c], n])
      if (what != "") print "    " pattern_of(commands[c], n) ") " action_of(what) "; return ;;"
    }
  }
  print "  esac"
  print "  case $command in"
  for (c = 0; c <= command_count; ++c) {
    list = ""
    if (c == 0) for (n = 1; n <= command_count; ++n) list = list " " commands[n]
    for (n = 1; n <= option_count[commands[c]]; ++n) list = list " " names_of(commands[c], n)
    print "    '" commands[c] "') words='" substr(list, 2) "' ;;"
  }
  print "  esac"
  print "  [[ $current != -* && -n $command ]] || COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))"
  print "}"
  print "complete -o default -F _" name " " name
}
