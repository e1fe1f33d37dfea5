# Whether a version lies in a range, as Python's packages write ranges (PEP 440) or as npm's do.
#
#   satisfies { version = "2.2.1"; range = ">=2,<3"; }         ->  true
#   satisfies { version = "2.2.1"; range = "~=2.1"; }          ->  true     (>=2.1, ==2.*)
#   satisfies { version = "2.2.1"; range = "^2"; }             ->  true     (>=2, <3)
#   satisfies { version = "2.2.1"; range = "1.x || >=2 <3"; }  ->  true
#   satisfies { version = "2.2.1"; range = "2.2"; }            ->  true     (2.2.*)
#
# In one thing laxer than both: a pre-release may meet any range it lies in, for nixpkgs has one version
# of a package and took it on purpose.
{ lib, nixlib }:
{ version, range }:
let
  inherit (lib)
    init
    last
    splitString
    take
    ;
  inherit (nixlib) versionKey;
  key = versionKey version;
  releaseOf = text: builtins.elemAt (versionKey text) 1;
  isRelease = text: builtins.elemAt (versionKey text) 2 == [ 4 ];

  # "2.x" and "2.*" are the numbers [ 2 ].
  isNumber = text: builtins.match "[0-9]+" text != null;
  numbers = text: map lib.toIntBase10 (builtins.filter isNumber (splitString "." text));
  joined = numbers: builtins.concatStringsSep "." (map toString numbers);
  next = numbers: joined (init numbers ++ [ (last numbers + 1) ]);
  isOpen = text: builtins.match ".*[.][*xX]|[*xX]" text != null;

  padded = count: list: take count (list ++ builtins.genList (_: 0) count);
  begins =
    bound:
    let
      wanted = numbers bound;
    in
    padded (builtins.length wanted) (releaseOf version) == wanted;
  sameRelease = bound: releaseOf version == releaseOf bound;
  atLeast = bound: key >= versionKey bound;
  # A pre-release of the bound is not below it (2.0rc1 is not <2.0), a post-release not above.
  below =
    bound: key < versionKey bound && !(isRelease bound && sameRelease bound && !isRelease version);
  above = bound: key > versionKey bound && !sameRelease bound;
  equals = bound: if isOpen bound then begins bound else key == versionKey bound;

  # The first number that is not zero may not grow.
  caretEnd =
    bound:
    let
      all = numbers bound;
      zeros = lib.findFirst (index: builtins.elemAt all index != 0) (builtins.length all - 1) (
        builtins.genList (index: index) (builtins.length all)
      );
    in
    next (take (zeros + 1) all);
  tildeEnd = bound: next (take 2 (numbers bound));

  operators = {
    "" = begins;
    "=" = begins;
    "==" = equals;
    "===" = bound: version == bound;
    "!=" = bound: !(equals bound);
    "~=" = bound: atLeast bound && begins (joined (init (numbers bound)));
    ">=" = atLeast;
    "<=" = bound: key <= versionKey bound;
    ">" = above;
    "<" = below;
    "^" = bound: atLeast bound && below (caretEnd bound);
    "~" = bound: atLeast bound && below (tildeEnd bound);
  };

  refuse = throw ''
    '${range}' is not a version range
    hint: write it as in satisfies { version = "2.2.1"; range = ">=2,<3"; }
  '';
  holds =
    clause:
    let
      parsed = builtins.match "(===|==|!=|~=|>=|<=|>|<|=|\\^|~|)v?([0-9*xX][^=<>~^|&]*)" clause;
    in
    if parsed == null then
      refuse
    else if builtins.match "[*xX]" (last parsed) != null then
      true
    else
      operators.${builtins.head parsed} (last parsed);

  # `>= 2, <3` is two clauses: what separates them are commas and spaces, but no space after an operator.
  words = text: builtins.filter builtins.isString (builtins.split "[[:space:],]+" text);
  clauses =
    text:
    let
      tied = builtins.concatStringsSep "" (
        map (piece: if builtins.isList piece then builtins.head piece else piece) (
          builtins.split "([=<>~^])[[:space:]]+" text
        )
      );
    in
    builtins.filter (clause: clause != "") (words tied);
  alternatives = builtins.filter builtins.isString (builtins.split "[|][|]" range);
  answers = map (alternative: map holds (clauses alternative)) alternatives;
in
# All of a range is read, even where its first clause decides.
builtins.deepSeq answers (builtins.any (builtins.all (answer: answer)) answers)
