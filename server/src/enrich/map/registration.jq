# {"plate", "state", "make", "model", "year", "color", "registered_owner", "status", "recorded"}
def plate: "\(need("plate")) \(need("state"))";
(select((need("status") | ascii_downcase) == "stolen") | {
  caution: "Plate \(plate) is listed as stolen: a lead to verify."
}),
{
  title: "Plate \(plate)",
  text: ([
    ([need("year"), need("color"), need("make"), need("model")] | words),
    "Registered owner: \(need("registered_owner"))",
    "Registration: \(need("status"))"
  ] | lines),
  topic: (if (.status | ascii_downcase) == "stolen" then "stolen" else "vehicle" end),
  recorded
}
