# Reads help texts into
#   command_count, commands[n], about[command]
#   option_count[command], short[command, n], long[command, n], type[command, n], text[command, n]
# where the command "" is the program itself. The file of the shell has the END that writes them.

function strip(s) { gsub(/^ +| +$/, "", s); return s }

# What an option takes: "" nothing, "words: a b c", "file", "folder", "pid", "name", "other".
function takes(t, description) {
  if (t == "") return ""
  if (t ~ /FILE$/ || t == "PATH") return "file"
  if (t == "DIR") return "folder"
  if (t == "PID") return "pid"
  if (t == "NAME") return "name"
  if (t == "SNAPSHOT") return "words: first last"
  if (t == "FORMAT" || t == "WHEN" || t == "LIST" || t == "WHAT" || t == "V,...") return words_in(description)
  return "other"
}

# The longest list in a text: "a, b or c", "a,b,c".
function words_in(s,    found) {
  gsub(/ *\([^)]*\)/, "", s)
  if (!match(s, /[a-z-]+((, ?| or )[a-z-]+)+/)) return "other"
  found = substr(s, RSTART, RLENGTH)
  gsub(/, ?| or /, " ", found)
  return "words: " found
}

# What stands between the options' names and their descriptions in CLI11's help.
function without_notes(s) {
  gsub(/ *(REQUIRED|(Excludes|Needs): --[a-z-]+)/, "", s)
  return s
}

/^@/ {
  command = $2
  section = ""
  if (command != "") commands[++command_count] = command
  next
}
/^[A-Z].*:$/ { section = $0; next }
/^$/ { next }
/^Examples:/ { section = $0; next }
section ~ /^(Examples|Positionals)/ { next }
section == "Subcommands:" && /^  [a-z]/ {
  about[$1] = strip(substr($0, length($1) + 3))
  next
}
/^  -/ {
  n = ++option_count[command]
  names = $1
  rest = strip(substr($0, length(names) + 3))
  split(names, parts, ",")
  for (i in parts) {
    if (parts[i] ~ /^--/) long[command, n] = substr(parts[i], 3)
    else short[command, n] = substr(parts[i], 2)
  }
  sub(/\{.*/, "", long[command, n])
  if (match(rest, /^(\[[A-Z]+=\])?[A-Z]+(,\.\.\.)?( |$)/)) {
    type[command, n] = strip(substr(rest, 1, RLENGTH))
    rest = substr(rest, RLENGTH + 1)
  }
  text[command, n] = strip(without_notes(rest))
  next
}
# The description goes on.
/^ +/ && option_count[command] > 0 && section != "" {
  n = option_count[command]
  text[command, n] = strip(text[command, n] " " strip($0))
}
