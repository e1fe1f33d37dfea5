# A package of a recipe -> the derivation that `set` has below its attribute path.
#
#   findPackage {
#     set = nixpkgs.legacyPackages.x86_64-linux;
#     recipe = "python-data";
#     package = { name = "typescript"; attribute = "typescript"; range = "^5"; };   # `range` may be left out
#     prefix = "";                   # how messages call `set`: "python313.pkgs."
#     fault = "node-package";        # what it is if there is none: see Thrown in openhands_recipes/model/nix.py
#   }
#
# Whatever else fails while the package is evaluated names the package as well: nixpkgs has its own words
# for what is unfree, insecure or not for a system, and a line `ohr: {...}` stands in the trace below them.
{ lib, nixlib }:
{
  set,
  recipe,
  package,
  prefix ? "",
  fault ? "missing-attribute",
}:
let
  inherit (lib)
    attrByPath
    getVersion
    isDerivation
    splitString
    ;
  inherit (nixlib) complain nearNames satisfies;
  inherit (package) name;
  attribute = prefix + package.attribute;
  wanted = package.range or "";

  found = attrByPath (splitString "." package.attribute) null set;
  version = getVersion found;

  missing = complain {
    inherit recipe;
    message = "nixpkgs has no package '${attribute}' (for '${name}')";
    hint = "the nixpkgs that flake.lock pins may be older or newer than the recipe expects";
    facts = {
      inherit fault attribute;
      package = name;
      near = nearNames set package.attribute;
    };
  };
  unfit = complain {
    inherit recipe;
    message = "nixpkgs has '${attribute}' ${version}, but '${name}' has to be ${wanted}";
    hint = "widen the range in the recipe, or pin a nixpkgs that has such a version";
    facts = {
      fault = "version";
      package = name;
      inherit attribute version wanted;
    };
  };
  facts = builtins.toJSON {
    fault = "unavailable";
    package = name;
    inherit attribute;
  };
in
if !isDerivation found then
  throw missing
else if
  wanted != ""
  && !satisfies {
    inherit version;
    range = wanted;
  }
then
  throw unfit
else
  builtins.addErrorContext "while taking '${attribute}' for recipe '${recipe}'\nohr: ${facts}" (
    builtins.seq found.drvPath found
  )
