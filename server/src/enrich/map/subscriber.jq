# {"phone", "subscriber", "address", "kind", "recorded"}
{
  title: "Phone \(need("phone"))",
  text: (["Subscriber: \(need("subscriber"))", (.address // empty | "Address: \(.)"), (.kind // empty | "Kind: \(.)")] | lines),
  topic: "person",
  recorded
}
