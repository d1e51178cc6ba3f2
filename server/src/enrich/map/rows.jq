# [{"column": value, …}, …]: rows of a table. Columns that are called like an entry's parts are those;
# without a title the question is the title.
.[] | (.title // $asked.shown) as $title | {
  title: ($title | tostring),
  text: (del(.title, .topic, .recorded, .confidence, .link, .ends)
    | [to_entries[] | select(.value != null and .value != "") | "\(.key): \(.value)"] | lines),
  topic, recorded, confidence, link, ends
}
