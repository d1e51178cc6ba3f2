# What mappings have besides jq's own.

# A field that must be a list.
def list(name): .[name] | if isarray then . else error("\(name) is no list") end;
# … or is not there.
def maybe_list(name): if .[name] == null then [] else list(name) end;
# A field that must be text, or a number.
def need(name): .[name] | if isstring and . != "" then . elif isnumber then tostring else error("\(name) is missing") end;
# One line of what is there.
def words: [.[] | select(. != null and . != "") | tostring] | join(" ");
def lines: [.[] | select(. != null and . != "") | tostring] | join("\n");
# 1 call, 2 calls.
def count(one; many): if . == 1 then "1 " + one else "\(.) " + many end;
# The text of the first child of that name, in XML.
def child(name): .[name][0]["#text"];
