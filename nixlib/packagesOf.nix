# A recipe -> the derivations it is made of: Python, Node.js and its packages, then the others in order.
#
#   packagesOf { pkgs = nixpkgs.legacyPackages.x86_64-linux; recipe = readRecipe ./recipe.json; }
{ lib, nixlib }:
{ pkgs, recipe }:
let
  inherit (lib) optionals unique;
  inherit (nixlib) findPackage interpreterOf;
  find =
    fault: package:
    findPackage {
      set = pkgs;
      recipe = recipe.name;
      inherit package fault;
    };
  interpreter = interpreterOf {
    recipe = recipe.name;
    inherit (recipe) python;
    inherit pkgs;
  };
  node = {
    name = "node";
    inherit (recipe.node) attribute;
  };
in
# The languages come first: where two packages bring the same file, the first one wins.
unique (
  optionals (recipe.python != null) [ interpreter ]
  ++ optionals (recipe.node != null) (
    [ (find "missing-attribute" node) ] ++ map (find "node-package") recipe.node.packages
  )
  ++ map (find "missing-attribute") recipe.packages
)
