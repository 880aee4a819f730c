set -eu
umask 077
LC_ALL=C
export LC_ALL
fail() {
  echo "$1" >&2
  exit 3
}
[ -n "$home" ] || fail "there is no user $user"
home=$(cd "$home" && pwd -P) || fail "$user has no home"
dir="$home/.ssh"
file="$dir/authorized_keys"
[ -f "$file" ] || fail "there is no $file"
file=$(readlink -f -- "$file")
case "$file" in
  "$home"/*) ;;
  *) fail "$file is not in $home: it is left alone" ;;
esac
[ -O "$file" ] || fail "$file is not owned by $user: it is left alone"
if command -v flock >/dev/null; then
  exec 9<"$dir"
  flock -w 20 9 || fail "another change of $file is under way"
fi
lets_in() {
  grep -q "^$new\( \|\$\)" "$1"
}
names() {
  grep -qF -e "$old" -e "$kept" -- "$1"
}
replace() {
  dd if=/dev/null of="$tmp" conv=notrunc,fsync 2>/dev/null || fail "$tmp is not written"
  mv -f -- "$tmp" "$file"
}
beside() {
  tmp=$(mktemp "$file.XXXXXX")
  trap "rm -f -- \"\$tmp\"" EXIT
  cp -p -- "$file" "$tmp"
}
if [ "$action" = add ] && ! lets_in "$file"; then
  beside
  [ -z "$(tail -c 1 "$file")" ] || echo >>"$tmp"
  echo "$new $name" >>"$tmp"
  replace
fi
if [ "$action" = remove ]; then
  lets_in "$file" || fail "$file does not let the new key in: nothing is taken out"
  if names "$file"; then
    beside
    grep -avF -e "$old" -e "$kept" -- "$file" >"$tmp"
    all=$(grep -c "" "$file")
    gone=$(grep -cF -e "$old" -e "$kept" -- "$file")
    left=$(grep -c "" "$tmp")
    [ "$((all - gone))" -eq "$left" ] || fail "other lines would be lost: nothing is taken out"
    lets_in "$tmp" || fail "the new key would be lost: nothing is taken out"
    replace
  fi
fi
if lets_in "$file"; then in=yes; else in=no; fi
if names "$file"; then out=yes; else out=no; fi
echo "authorized_keys: new=$in old=$out"
