# A recipe and its environment -> what `nix develop` enters: the tools, the variables, the recipe's hook.
#
#   shellOf { pkgs = ...; recipe = readRecipe ./recipe.json; environment = environmentOf { ... }; }
#
# The prompt stays the user's. Variables are set by the hook, so that any name and any value is possible.
{ nixlib }:
{
  pkgs,
  recipe,
  environment,
}:
pkgs.mkShellNoCC {
  name = "${recipe.name}-shell";
  packages = [ environment ];
  shellHook = nixlib.exportsOf { inherit recipe environment; } + recipe.shell_hook;
}
