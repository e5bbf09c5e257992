#!/bin/sh
# The smallest worker: one task, `double`, for whole numbers. Without a blank and in this order is how a pool writes.
trap '' INT
while IFS= read -r line; do
  id=${line#*'"id":'}
  id=${id%%,*}
  case $line in
  '{"type":"hello",'*)
    printf '%s\n' '{"type":"hello","protocol":1,"tasks":["double"]}'
    ;;
  '{"type":"task",'*',"input":'*)
    # A text inside a message has a backslash before each quote: this can only be the message's own member, the last one of that name.
    input=${line#*',"input":'}
    input=${input%',"taskId":'*}
    case $input in
    *[!0-9-]* | ????????????????*)
      # A JSON text is part of another one as it is, without its quotes.
      case $input in \"*) what=${input#\"} what="${what%\"} is not a number" ;; *) what='the input is no whole number' ;; esac
      printf '{"type":"error","id":%s,"error":{"name":"TypeError","message":"%s"}}\n' "$id" "$what"
      ;;
    *) printf '{"type":"result","id":%s,"value":%s}\n' "$id" "$((input * 2))" ;;
    esac
    ;;
  '{"type":"task",'*)
    printf '{"type":"error","id":%s,"error":{"name":"TypeError","message":"there is no input"}}\n' "$id"
    ;;
  '{"type":"drain"'*) exit 0 ;;
  esac
done
