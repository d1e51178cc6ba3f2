# {"incidents": [{"number", "date", "nature", "outcome"}], "cautions": [{"text", "set_by", "date", "ends"}]}
(maybe_list("cautions")[] | {caution: need("text"), by: ([.set_by, .date] | map(values) | join(", ")), ends}),
(maybe_list("incidents") | select(length > 0) | {
  title: (length | count("prior incident"; "prior incidents")),
  text: ([.[:6][] | [need("date"), need("number"), need("nature"), .outcome] | words] | lines),
  recorded: ([.[].date] | max)
})
