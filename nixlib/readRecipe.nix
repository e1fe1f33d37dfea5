# The path of a recipe.json -> its content; only of the schema this library knows.
path:
let
  content = builtins.fromJSON (builtins.readFile path);
  format = content.schema or null;
in
if format == 1 then
  content
else
  throw ''
    ${toString path} has schema ${builtins.toJSON format}, this nixlib reads schema 1
    hint: compile the recipe again, `ohr flake NAME` brings a nixlib that fits
  ''
