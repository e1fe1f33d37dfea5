# The database of terminals is where the store has it.
for place in $libraries; do
  [ -d "$place/share/terminfo" ] && terminals=$place/share/terminfo
done
wrapped tmux "export TERMINFO_DIRS=\${TERMINFO_DIRS:+\$TERMINFO_DIRS:}$terminals"
