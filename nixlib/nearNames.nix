# A set and an attribute it lacks -> names it has that begin alike, at most eight: "gcc99" -> [ "gcc12" "gcc13" "gcc14" ].
{ lib }:
set: attribute:
let
  inherit (lib) hasPrefix take;
  begun = builtins.match "([A-Za-z]+).*" attribute;
  stem = if begun == null then attribute else builtins.head begun;
  near =
    name: hasPrefix stem name && builtins.stringLength name <= builtins.stringLength attribute + 1;
in
take 8 (builtins.filter near (builtins.attrNames set))
