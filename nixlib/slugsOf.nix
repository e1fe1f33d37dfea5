# Sentences -> attribute names for them, all different: "Pandas reads a CSV" -> "pandas-reads-a-csv".
#
# At most 60 characters long; of two that would be the same, the second ends in -2.
{ lib }:
sentences:
let
  inherit (lib) foldl' toLower;
  isWord = piece: builtins.isString piece && piece != "";
  slug =
    sentence:
    let
      words = builtins.filter isWord (builtins.split "[^a-z0-9]+" (toLower sentence));
      whole = builtins.concatStringsSep "-" words;
      short = builtins.head (builtins.match "(.*[^-])-*" (builtins.substring 0 60 whole));
    in
    if words == [ ] then "test" else short;
  free =
    taken: wanted: number:
    let
      name = if number == 1 then wanted else "${wanted}-${toString number}";
    in
    if builtins.elem name taken then free taken wanted (number + 1) else name;
in
foldl' (taken: sentence: taken ++ [ (free taken (slug sentence) 1) ]) [ ] sentences
