# A recipe and its environment -> lines for bash that make both usable: PATH and the recipe's variables.
#
#   exportsOf { recipe = readRecipe ./recipe.json; environment = environmentOf { ... }; }
#
# `$HOME/` at the beginning of an entry of `path` is the home of whoever runs the lines.
{ lib }:
{ recipe, environment }:
let
  inherit (lib) escapeShellArg hasPrefix removePrefix;
  home = "$HOME/";
  folder =
    entry:
    if hasPrefix home entry then
      ''"$HOME"/${escapeShellArg (removePrefix home entry)}''
    else
      escapeShellArg entry;
  folders = map folder recipe.path ++ [ "${environment}/bin" ];
  variable = name: "export ${name}=${escapeShellArg recipe.environment.${name}}";
  lines = [
    "export PATH=${builtins.concatStringsSep ":" folders}\${PATH:+:$PATH}"
  ]
  ++ map variable (builtins.attrNames recipe.environment);
in
builtins.concatStringsSep "\n" lines + "\n"
