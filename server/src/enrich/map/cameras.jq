# {"cameras": [{"name", "distance_m", "direction", "stream"}]}, the nearest first
list("cameras")[:4][] | {
  title: need("name"),
  text: "\(.distance_m | round) m away, facing \(need("direction"))",
  topic: "camera",
  confidence: "nearby",
  link: .stream
}
