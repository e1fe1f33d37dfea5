# What is wrong with a recipe, for people, and below it one line for programs, which begins with `ohr: {`.
#
#   complain {
#     recipe = "python-data";
#     message = "nixpkgs has no 'python313.pkgs.nunpy'";
#     hint = "see `ohr show python-data`";
#     facts = { fault = "python-package"; package = "nunpy"; attribute = "python313.pkgs.nunpy"; };
#   }
#
# The keys of `facts` are those of Thrown in openhands_recipes/model/nix.py.
{
  recipe,
  message,
  hint,
  facts,
}:
builtins.concatStringsSep "\n" [
  "recipe '${recipe}': ${message}"
  "hint: ${hint}"
  "ohr: ${builtins.toJSON facts}"
]
