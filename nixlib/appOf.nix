# A recipe and its environment -> what `nix run` starts: a shell with the tools, or the command that follows `--`.
#
#   appOf { pkgs = ...; recipe = readRecipe ./recipe.json; environment = environmentOf { ... }; }
{ nixlib }:
{
  pkgs,
  recipe,
  environment,
}:
let
  program = pkgs.writeShellScriptBin recipe.name ''
    ${nixlib.exportsOf { inherit recipe environment; }}
    if [ $# -gt 0 ]; then
      exec "$@"
    fi
    exec ${pkgs.bashInteractive}/bin/bash
  '';
in
{
  type = "app";
  program = "${program}/bin/${recipe.name}";
  meta.description = recipe.summary;
}
