# The `python` of a recipe -> an interpreter that imports the recipe's packages.
#
#   interpreterOf {
#     pkgs = nixpkgs.legacyPackages.x86_64-linux;
#     recipe = "python-data";
#     python = {
#       attribute = "python313";
#       packages = [ { name = "numpy"; attribute = "numpy"; range = ">=2"; extras = [ ]; } ];
#     };
#   }
{ lib, nixlib }:
{
  pkgs,
  recipe,
  python,
}:
let
  inherit (nixlib) complain findPackage;
  prefix = "${python.attribute}.pkgs.";
  interpreter = findPackage {
    set = pkgs;
    package = {
      name = "python";
      inherit (python) attribute;
    };
    inherit recipe;
  };

  extraOf =
    package: found: extra:
    found.optional-dependencies.${extra} or (throw (complain {
      inherit recipe;
      message = "'${prefix}${package.attribute}' has no extra '${extra}'";
      hint = "its extras in nixpkgs: ${
        toString (builtins.attrNames (found.optional-dependencies or { }))
      }";
      facts = {
        fault = "python-package";
        package = package.name;
        attribute = "${prefix}${package.attribute}.optional-dependencies.${extra}";
      };
    }));
  libraries =
    set: package:
    let
      found = findPackage {
        fault = "python-package";
        inherit
          set
          prefix
          recipe
          package
          ;
      };
    in
    [ found ] ++ lib.concatMap (extraOf package found) (package.extras or [ ]);
in
if python.packages == [ ] then
  interpreter
else
  interpreter.withPackages (set: lib.concatMap (libraries set) python.packages)
