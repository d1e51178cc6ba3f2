# {"persons": [{"name", "born", "description", "status", "wanted_for", "cautions": [text], "matched", "recorded"}]}
# A caution has no mark of a lead. So what is known of a person is one only where the match is
# exact; of anyone else it stands in the finding, which has that mark.
list("persons")[]
| (.matched // "partial") as $matched
| (select($matched == "exact")
    | (maybe_list("cautions")[] as $text | {caution: "\(need("name")): \($text)"}),
      (select(.wanted_for != null and .wanted_for != "") | {
        caution: "\(need("name")) is listed as wanted (\(.wanted_for)): a lead to verify."
      })),
  {
    title: ([need("name"), (.born // empty | "born \(.)")] | words),
    text: ([.description, (.wanted_for // empty | "Wanted: \(.)"),
      (select($matched != "exact") | maybe_list("cautions")[] | "Caution on file: \(.)"),
      (.status // empty | "Status: \(.)")] | lines),
    topic: (if .wanted_for != null and .wanted_for != "" then "wanted" else "person" end),
    confidence: $matched,
    recorded
  }
