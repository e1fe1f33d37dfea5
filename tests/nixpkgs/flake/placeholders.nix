# attributes.json -> packages that are only evaluated. They have the name and version of the real ones; what
# they build is a note which says that they are not.
{
  lib,
  system,
  tools,
}:
let
  note =
    attribute: version:
    tools.runCommand "${lib.last (lib.splitString "." attribute)}-${version}" { } ''
      mkdir -p $out/share/stand-in
      echo "${attribute} ${version} of the stand-in nixpkgs holds nothing (${system})" >$out/share/stand-in/${attribute}
    ''
    // {
      inherit version;
      pname = lib.last (lib.splitString "." attribute);
      optional-dependencies = { };
    };
  placed =
    set: path: value:
    let
      name = builtins.head path;
      rest = builtins.tail path;
    in
    set // { ${name} = if rest == [ ] then value else placed (set.${name} or { }) rest value; };
  attributes = builtins.fromJSON (builtins.readFile ./attributes.json);
in
builtins.foldl' (
  set: attribute: placed set (lib.splitString "." attribute) (note attribute attributes.${attribute})
) { } (builtins.attrNames attributes)
