# Completion for fish.

function quoted(s) {
  gsub(/['\\]/, "\\\\&", s)
  return "'" s "'"
}

function action_of(what) {
  if (what == "") return ""
  if (what ~ /^words/) return " -x -a " quoted(substr(what, 8))
  if (what == "file") return " -r -F"
  if (what == "folder") return " -x -a '(__fish_complete_directories)'"
  if (what == "pid") return " -x -a '(__fish_complete_pids)'"
  return " -x"
}

END {
  print "# Completion of " name " for fish, made from its --help."
  print "complete -c " name " -n __fish_use_subcommand -f"
  for (c = 1; c <= command_count; ++c)
    print "complete -c " name " -n __fish_use_subcommand -a " commands[c] " -d " quoted(about[commands[c]])
  for (c = 0; c <= command_count; ++c) {
    when = c == 0 ? "__fish_use_subcommand" : quoted("__fish_seen_subcommand_from " commands[c])
    for (n = 1; n <= option_count[commands[c]]; ++n) {
      line = "complete -c " name " -n " when
      if ((commands[c], n) in short) line = line " -s " short[commands[c], n]
      if ((commands[c], n) in long) line = line " -l " long[commands[c], n]
      print line action_of(takes(type[commands[c], n], text[commands[c], n])) " -d " quoted(text[commands[c], n])
    }
  }
}
