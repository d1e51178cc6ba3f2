# {"persons": [{"name", "born", "description", "status", "wanted_for", "cautions": [text], "matched", "recorded"}]}
list("persons")[]
| (maybe_list("cautions")[] as $text | {caution: "\(need("name")): \($text)"}),
  (select(.wanted_for != null and .wanted_for != "") | {
    caution: "\(need("name")) is listed as wanted (\(.wanted_for)): a lead to verify."
  }),
  {
    title: ([need("name"), (.born // empty | "born \(.)")] | words),
    text: ([.description, (.wanted_for // empty | "Wanted: \(.)"), (.status // empty | "Status: \(.)")] | lines),
    topic: (if .wanted_for != null and .wanted_for != "" then "wanted" else "person" end),
    confidence: (.matched // "partial"),
    recorded
  }
