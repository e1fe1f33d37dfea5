# A recipe and its environment -> one derivation for each of the recipe's tests; it builds when the test passes.
#
#   checksOf { pkgs = ...; recipe = readRecipe ./recipe.json; environment = environmentOf { ... }; }
#
# A test runs as `ohr test` runs it: by bash, in an empty folder, judged by judge.py, which reads regular
# expressions as `ohr` does. It has the recipe's tools and the few that every build in nixpkgs has, no
# network, and none of the folders and accounts an image has.
{ lib, nixlib }:
{
  pkgs,
  recipe,
  environment,
}:
let
  exports = pkgs.writeText "${recipe.name}-exports" (
    nixlib.exportsOf { inherit recipe environment; }
  );
  slugs = nixlib.slugsOf (map (test: test.name) recipe.tests);
  checkOf =
    slug: test:
    let
      name = "${recipe.name}-${slug}";
      case = pkgs.writeText "${name}.json" (builtins.toJSON test);
      command = "${pkgs.python3}/bin/python3 -I ${./judge.py} ${pkgs.bash}/bin/bash ${exports} ${case}";
    in
    {
      name = slug;
      value = pkgs.runCommand name { } "${command} >$out";
    };
in
builtins.listToAttrs (lib.zipListsWith checkOf slugs recipe.tests)
