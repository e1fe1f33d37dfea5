# What nixlib uses of nixpkgs' library (nixlib/README.md lists it), saying and doing the same.
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    elemAt
    filter
    foldl'
    genList
    head
    isString
    length
    listToAttrs
    match
    replaceStrings
    split
    stringLength
    substring
    ;

  last = list: elemAt list (length list - 1);
  take = count: list: genList (elemAt list) (if count < length list then count else length list);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  letters = text: genList (index: substring index 1 text) (stringLength text);
  escapeRegex =
    text:
    replaceStrings (letters "\\[{()^$?*+|.") (map (letter: "\\" + letter) (
      letters "\\[{()^$?*+|."
    )) text;
in
{
  inherit
    concatMap
    foldl'
    hasPrefix
    last
    take
    ;
  attrByPath =
    path: default: set:
    if path == [ ] then
      set
    else if builtins.isAttrs set && set ? ${head path} then
      (import ./lib.nix).attrByPath (builtins.tail path) default set.${head path}
    else
      default;
  # Plain words stay as they are, as in nixpkgs.
  escapeShellArg =
    arg:
    let
      text = toString arg;
    in
    if match "[[:alnum:],._+:@%/-]+" text != null then
      text
    else
      "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  findFirst =
    holds: default: list:
    let
      found = filter holds list;
    in
    if found == [ ] then default else head found;
  genAttrs =
    names: make:
    listToAttrs (
      map (name: {
        inherit name;
        value = make name;
      }) names
    );
  getVersion =
    package:
    if isString package then
      (builtins.parseDrvName package).version
    else
      package.version or (builtins.parseDrvName package.name).version;
  init = list: take (length list - 1) list;
  isDerivation = value: value.type or null == "derivation";
  mapAttrs' = make: set: listToAttrs (map (name: make name set.${name}) (attrNames set));
  inherit (builtins) mapAttrs;
  nameValuePair = name: value: { inherit name value; };
  optionals = wanted: list: if wanted then list else [ ];
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  splitString = separator: text: filter isString (split (escapeRegex separator) text);
  toIntBase10 =
    text:
    let
      digits = match "[[:space:]]*0*(-?[[:digit:]]+)[[:space:]]*" text;
    in
    if digits == null then
      throw "toIntBase10: not a number: ${text}"
    else
      builtins.fromJSON (head digits);
  toLower = replaceStrings (letters upper) (letters "abcdefghijklmnopqrstuvwxyz");
  unique = foldl' (found: one: if elem one found then found else found ++ [ one ]) [ ];
  zipListsWith =
    make: left: right:
    genList (index: make (elemAt left index) (elemAt right index)) (
      if length left < length right then length left else length right
    );
}
