#!/bin/sh
# Makes a program a worker: `sh wrap.sh wc -c` has one task, `run`, whose input is a text. The program gets it as its last argument,
# and what it prints is the result. What it says on standard error, and its exit code where that is not 0, are told too.
trap '' INT

fail() { # id, message (of a JSON text), more members
  printf '{"type":"error","id":%s,"error":{"name":"Error","message":"%s"%s}}\n' "$1" "$2" "$3"
}

# A JSON text without its quotes, as printf's %b reads it: escapes of one letter mean the same to both.
to_format() {
  printf '%s\n' "$1" | sed -e 's/\\\\/\\0134/g' -e 's/\\"/\\0042/g' -e 's/\\\//\//g'
}

# Anything as a JSON text without its quotes. Control characters other than tab and line feed are left out.
to_json() {
  quoted=$(printf '%s\n' "$1" | sed -e 's/[\\"]/\\&/g' -e "s/$tab/\\\\t/g" -e 's/$/\\n/' | tr -d '\000-\037\177')
  printf '%s' "${quoted%\\n}"
}

tab=$(printf '\t')
name=$(to_json "$1")
while IFS= read -r line; do
  id=${line#*'"id":'}
  id=${id%%,*}
  case $line in
  '{"type":"hello",'*) printf '%s\n' '{"type":"hello","protocol":1,"tasks":["run"]}' ;;
  '{"type":"task",'*',"input":"'*)
    input=${line#*',"input":"'}
    format=$(to_format "${input%'","taskId":'*}")
    case $format in
    *\\u*) fail "$id" 'the input has a character that this worker cannot read' ;;
    *)
      # The dot keeps line feeds at the end of the argument.
      argument=$(printf '%b.' "$format")
      # Without an input of its own the program would read the pool's messages.
      output=$("$@" "${argument%.}" </dev/null)
      code=$?
      case $code in
      0) printf '{"type":"result","id":%s,"value":"%s"}\n' "$id" "$(to_json "$output")" ;;
      *) fail "$id" "$name: exit code $code" ",\"exitCode\":$code" ;;
      esac
      ;;
    esac
    ;;
  '{"type":"task",'*) fail "$id" 'the input is not a text' ;;
  '{"type":"drain"'*) exit 0 ;;
  esac
done
